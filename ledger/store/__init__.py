"""The ledger on a database: the one reader and writer of its tables."""

from ledger.store.database import create_tables, open_engine, open_readers
from ledger.store.ledger_store import LedgerStore, Outcome, Posted, Refused, Stored
from ledger.store.replay import ReplayReport

__all__ = [
    "LedgerStore",
    "Outcome",
    "Posted",
    "Refused",
    "ReplayReport",
    "Stored",
    "create_tables",
    "open_engine",
    "open_readers",
]
