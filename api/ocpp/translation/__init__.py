"""Every version of OCPP said in one form, and one form said in every version."""
