"""OCPI 2.2.1 for eMSPs: versions, credentials, charge detail records, sessions, tariffs."""
