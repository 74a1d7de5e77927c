"""Measure the node at size."""
