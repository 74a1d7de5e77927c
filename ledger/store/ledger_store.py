"""The ledger on a database: transfers and records, exactly once; balances, proofs and replay."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection, bindparam, exists, select

from ledger.accounts import AccountId
from ledger.book import Balance
from ledger.errors import NotFound
from ledger.journal import GENESIS, Entry, salt_of
from ledger.store import rows
from ledger.store.batch import Batch, Group, Outcome
from ledger.store.log import Log, tree
from ledger.store.replay import ReplayReport, replay
from ledger.store.rows import Stored
from ledger.tables import balance, entry, transfer
from ledger.transfers import Kind, Transfer, TransferId, is_plain
from ledger.units import UnixSeconds

_TRACED: Final = (
    select(transfer)
    .where(transfer.c.trace_id.in_(bindparam("traced", expanding=True)))
    .order_by(transfer.c.seq)
)


class UnknownEntryError(NotFound):
    """The journal has no entry at that position."""

    def __init__(self, seq: int, size: int) -> None:
        super().__init__("unknown_entry", f"the journal has {size} entries, none at {seq}")


class LedgerStore:
    """The ledger; it keeps nothing in memory, every method takes the caller's connection."""

    def begin(self, connection: Connection, seed: bytes) -> None:
        """
        Give an empty ledger the secret seed of its entries' salts; one that has any keeps its own.

        Without it the seed is drawn by chance. Whoever has to make the same log again, as a replay
        does, gives the same seed.

        Parameters
        ----------
        seed
            32 bytes that nobody can guess.
        """
        log = Log.load(connection)
        if log.size == 0:
            replace(log, seed=seed).save(connection)

    def submit(
        self, connection: Connection, transfers: Sequence[Transfer], *, at_s: UnixSeconds
    ) -> Outcome:
        """
        Take a group of transfers, all or none. Idempotent by each transfer's id.

        A group that came before gets its first outcome, balances and refusals included. An id that
        comes again with another body, or in another group, is refused and recorded. A refusal is
        returned, not raised, so that the caller can commit the record.

        Raises
        ------
        GroupSizeError
            If the group is empty.
        """
        return self.submit_many(connection, (transfers,), at_s=at_s)[0]

    def submit_many(
        self, connection: Connection, groups: Sequence[Group], *, at_s: UnixSeconds
    ) -> tuple[Outcome, ...]:
        """
        Take many groups, one after the other, each as ``submit`` would; return their outcomes.

        Raises
        ------
        GroupSizeError
            If a group is empty; then nothing of any is written.
        """
        batch = Batch(connection, groups, at_s)
        outcomes = tuple([batch.take(group) for group in groups])
        batch.write()
        return outcomes

    def expire_due(
        self, connection: Connection, *, at_s: UnixSeconds, limit: int = 1_000
    ) -> tuple[Outcome, ...]:
        """Release the holds whose time is over at ``at_s``, oldest first, at most ``limit``."""
        other = transfer.alias("resolution")
        due = connection.execute(
            select(transfer)
            .where(
                transfer.c.expires_s.isnot(None),
                transfer.c.expires_s <= at_s,
                ~exists().where(other.c.pending_id == transfer.c.id),
            )
            .order_by(transfer.c.expires_s, transfer.c.seq)
            .limit(limit)
        )
        groups = [(_expiry(rows.transfer_of(row)),) for row in due]
        return self.submit_many(connection, groups, at_s=at_s)

    def append_record(
        self, connection: Connection, *, name: str, trace_id: str, body: bytes, at_s: UnixSeconds
    ) -> int:
        """
        Append an entry that is no transfer, and return its position.

        Raises
        ------
        BadRecordError
            If the journal cannot take it.
        """
        log = Log.load(connection)
        log.append_all(connection, [(name, trace_id, body)], at_s)
        return log.size - 1

    def entry(self, connection: Connection, seq: int) -> Entry:
        """
        Return an entry whole, its salt and what it commits to included; only for who may read it.

        Raises
        ------
        UnknownEntryError
            If there is none at that position.
        """
        log = Log.load(connection)
        found = connection.execute(select(entry).where(entry.c.seq == seq)).first()
        if found is None:
            raise UnknownEntryError(seq, log.size)
        before = connection.execute(select(entry.c.hash).where(entry.c.seq == seq - 1)).scalar()
        return Entry(
            seq=seq,
            at_s=UnixSeconds(found.at_s),
            name=found.name,
            trace_id=found.trace_id,
            body=found.body,
            previous=before or GENESIS,
            salt=salt_of(log.seed, seq),
        )

    def balance(self, connection: Connection, account: AccountId) -> Balance:
        """Return the balance of an account; one unheard of is empty."""
        found = connection.execute(select(balance).where(balance.c.account == account)).first()
        return rows.balance_of(found) if found else Balance(account)

    def balances(self, connection: Connection, prefix: str) -> tuple[Balance, ...]:
        """Return the balances of all accounts that begin with ``prefix``, by account."""
        found = connection.execute(
            select(balance)
            .where(balance.c.account >= prefix, balance.c.account < prefix + "\x7f")
            .order_by(balance.c.account)
        )
        return tuple(rows.balance_of(row) for row in found)

    def transfers_of(self, connection: Connection, trace_id: str) -> tuple[Stored, ...]:
        """Return every transfer of a trace id, in order."""
        found = connection.execute(_TRACED, {"traced": (trace_id,)})
        return tuple(rows.stored_of(row) for row in found)

    def open_holds(self, connection: Connection, trace_id: str) -> tuple[Transfer, ...]:
        """Return the pending transfers of a trace id that nothing has resolved, in order."""
        return self.holds_of(connection, (trace_id,)).get(trace_id, ())

    def holds_of(
        self, connection: Connection, trace_ids: Sequence[str]
    ) -> Mapping[str, tuple[Transfer, ...]]:
        """Return, by trace id, the pending transfers that nothing has resolved, in order."""
        stored = [
            rows.transfer_of(row) for row in connection.execute(_TRACED, {"traced": trace_ids})
        ]
        resolved = {one.pending_id for one in stored if one.pending_id}
        found: dict[str, tuple[Transfer, ...]] = {}
        for one in stored:
            if one.kind is Kind.PENDING and one.id not in resolved:
                found[one.trace_id] = (*found.get(one.trace_id, ()), one)
        return found

    def root(self, connection: Connection) -> tuple[int, bytes]:
        """Return size and root of the log."""
        log = Log.load(connection)
        return log.size, log.root()

    def newest_s(self, connection: Connection) -> UnixSeconds:
        """Return the latest instant of an entry, in Unix seconds; 0 if there is none."""
        return Log.load(connection).newest_s

    def prove_inclusion(self, connection: Connection, seq: int) -> tuple[bytes, ...]:
        """
        Return the proof that entry ``seq`` is in the log as it stands.

        Raises
        ------
        BadLogProofError
            If there is no such entry.
        """
        return tree(connection, Log.load(connection).size).inclusion_proof(seq)

    def prove_consistency(self, connection: Connection, old_size: int) -> tuple[bytes, ...]:
        """
        Return the proof that the log of ``old_size`` entries is a prefix of this one.

        Raises
        ------
        BadLogProofError
            If the log is shorter.
        """
        return tree(connection, Log.load(connection).size).consistency_proof(old_size)

    def replay(self, connection: Connection, *, processes: int = 1) -> ReplayReport:
        """
        Derive everything again from the entries alone, and say what differs.

        With two ``processes`` a second one hashes the entries that are committed, while this one
        adds up the transfers; only for a connection that has written nothing itself.
        """
        return replay(connection, processes=processes)


def _expiry(hold: Transfer) -> Transfer:
    name = f"expire/{hold.id}"
    if not is_plain(name):
        name = f"expire/{hashlib.sha256(hold.id.encode()).hexdigest()}"
    return Transfer(
        id=TransferId(name),
        kind=Kind.EXPIRE,
        debit=hold.debit,
        credit=hold.credit,
        amount=0,
        code=hold.code,
        trace_id=hold.trace_id,
        pending_id=hold.id,
    )
