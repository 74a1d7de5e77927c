"""Runs after the first: late readings, corrections, final intervals."""
