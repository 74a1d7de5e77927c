"""The grid operator's routes."""
