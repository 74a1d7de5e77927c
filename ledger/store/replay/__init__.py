"""Derive everything that is stored once more, from the entries."""

from ledger.store.replay.entries import ReplayReport, replay
from ledger.store.replay.opening import JournalDamagedError, check_file, check_tail

__all__ = ["JournalDamagedError", "ReplayReport", "check_file", "check_tail", "replay"]
