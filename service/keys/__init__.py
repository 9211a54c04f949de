"""Secrets and signatures, and who is calling."""
