"""Translate contract code that runs often into Python."""
