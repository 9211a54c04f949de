"""A create, until a provider has it or nobody will: chosen, sent, sent elsewhere, cancelled."""
