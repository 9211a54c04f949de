"""What may be called, and how it is called: nothing else opens a connection to anybody."""
