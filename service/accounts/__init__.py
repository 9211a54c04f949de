"""The accounts at the providers: how one is asked, at which pace, and whether it is heard."""
