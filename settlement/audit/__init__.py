"""Checks that recompute what the service did from what was signed."""
