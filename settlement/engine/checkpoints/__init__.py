"""Checkpoints of the log: signed, cosigned by witnesses, served with tiles and proofs."""

from settlement.engine.checkpoints.signing import close_day, first_inconsistent, origin_of

__all__ = ["close_day", "first_inconsistent", "origin_of"]
