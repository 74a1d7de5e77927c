"""Charging stations: one websocket endpoint, every version of OCPP translated to one form."""
