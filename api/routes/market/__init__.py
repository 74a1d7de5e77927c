"""Endpoints of the market."""
