"""The ledger on a database: the one reader and writer of its tables."""

from ledger.store.batch import Outcome, Posted, Refused
from ledger.store.database import open_engine, open_readers
from ledger.store.ledger_store import LedgerStore
from ledger.store.migrating import migrate
from ledger.store.replay import ReplayReport
from ledger.store.rows import Stored

__all__ = [
    "LedgerStore",
    "Outcome",
    "Posted",
    "Refused",
    "ReplayReport",
    "Stored",
    "migrate",
    "open_engine",
    "open_readers",
]
