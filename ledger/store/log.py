"""Append to the log: entries, their links and the tree's right edge."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from ledger.journal import GENESIS, Entry
from ledger.proofs import Frontier, leaf_hash
from ledger.tables import entry, log_state
from ledger.units import UnixSeconds

_HASH = 32


@dataclass(slots=True)
class Log:
    """The end of the log."""

    frontier: Frontier
    """Right edge of the tree."""
    last_hash: bytes
    """Hash of the last entry."""

    @staticmethod
    def load(connection: Connection) -> "Log":
        """Return the log as it stands."""
        found = connection.execute(select(log_state)).first()
        if found is None:
            return Log(Frontier(), GENESIS)
        peaks = [found.peaks[i : i + _HASH] for i in range(0, len(found.peaks), _HASH)]
        return Log(Frontier(found.size, peaks), found.last_hash)

    @property
    def size(self) -> int:
        """Entries."""
        return self.frontier.size

    def root(self) -> bytes:
        """Return the root over all entries, 32 bytes."""
        return self.frontier.root()

    def append_all(
        self,
        connection: Connection,
        records: Sequence[tuple[str, str, bytes]],
        at_s: UnixSeconds,
    ) -> None:
        """Append records (name, trace id, body), one entry each."""
        written = []
        for name, trace_id, body in records:
            one = Entry(self.size, at_s, name, trace_id, body, self.last_hash)
            self.last_hash = one.hash()
            leaf = leaf_hash(one.leaf())
            self.frontier.append(leaf)
            written.append(
                {
                    "seq": one.seq,
                    "at_s": at_s,
                    "name": name,
                    "trace_id": trace_id,
                    "body": body,
                    "previous": one.previous,
                    "hash": self.last_hash,
                    "leaf_hash": leaf,
                }
            )
        connection.execute(entry.insert(), written)
        state = {
            "size": self.size,
            "last_hash": self.last_hash,
            "peaks": b"".join(self.frontier.peaks),
        }
        connection.execute(
            insert(log_state)
            .values(id=0, **state)
            .on_conflict_do_update(index_elements=["id"], set_=state)
        )
