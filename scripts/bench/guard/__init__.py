"""The guard of outgoing deliveries against a hundred thousand hostile URLs, and against ten thousand ordinary ones."""
