"""Receivers that do what no receiver should, each with a name and with what an attempt must make of it."""
