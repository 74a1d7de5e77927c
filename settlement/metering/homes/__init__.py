"""Rules for the registers of homes: whose energy, how sure, and what while a meter is silent."""
