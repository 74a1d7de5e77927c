"""Measure the product beside a baseline of the same run: ``scripts/bench``."""
