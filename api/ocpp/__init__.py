"""Charging stations: OCPP 1.6-J, 2.0.1 and 2.1 over one websocket endpoint."""
