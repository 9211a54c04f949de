"""Benches: what is measured is compared with something named, in the same run."""
