"""Derive everything that is stored once more, from the entries."""

from ledger.store.replay.entries import ReplayReport, replay

__all__ = ["ReplayReport", "replay"]
