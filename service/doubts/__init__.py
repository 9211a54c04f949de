"""Sends of which nobody knows: what proves them, and what an operator decides about them."""
