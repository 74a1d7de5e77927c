"""Simulated meters, stations and people that speak the real protocols."""
