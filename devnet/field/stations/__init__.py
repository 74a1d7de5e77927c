"""Charging stations: OCPP 1.6-J charge points with signing meters."""

from devnet.field.stations.charge_point import Station

__all__ = ["Station"]
