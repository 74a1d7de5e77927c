"""Certificates of origin and the sun of sessions, as others ask for them."""
