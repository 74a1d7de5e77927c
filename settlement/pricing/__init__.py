"""Tariffs and what a session costs."""
