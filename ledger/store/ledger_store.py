"""Submit transfers and records, exactly once, in the caller's database transaction."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from ledger.accounts import AccountId
from ledger.book import Balance
from ledger.errors import Conflict, ExistsWithDifferent, VoisinError
from ledger.journal import transfer_body
from ledger.proofs import consistency_proof, inclusion_proof
from ledger.store import rows
from ledger.store.log import Log
from ledger.store.replay import ReplayReport, replay
from ledger.tables import balance, entry, refused, transfer
from ledger.transfers import Kind, Transfer
from ledger.units import UnixSeconds


class TransferDiffersError(ExistsWithDifferent):
    """The id of a transfer came before with another body, or in another group."""

    def __init__(self, transfer_id: str) -> None:
        super().__init__("transfer_differs", f"{transfer_id} was submitted before, differently")


class RefusedBeforeError(Conflict):
    """The transfer was refused before; the first outcome stands."""

    def __init__(self, transfer_id: str, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.transfer_id: Final = transfer_id


@dataclass(frozen=True, slots=True)
class Stored:
    """A transfer as it stands in the ledger."""

    transfer: Transfer
    """The transfer."""
    seq: int
    """Its entry in the journal."""
    at_s: UnixSeconds
    """Domain instant, in Unix seconds."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A group was taken: the transfers and the balances after them."""

    transfers: tuple[Stored, ...]
    """The group."""
    balances: tuple[Balance, ...]
    """Balances of every account that it touched, after it; as of now if replayed."""
    replayed: bool
    """Whether the group had been taken before."""

    def unwrap(self) -> "Posted":
        """Return itself."""
        return self


@dataclass(frozen=True, slots=True)
class Refused:
    """A group was refused: nothing of it was applied, the refusal is in the journal."""

    fault: VoisinError
    """Why."""

    def unwrap(self) -> Posted:
        """Raise the refusal; the caller's transaction then rolls back, the record of it too."""
        raise self.fault


Outcome = Posted | Refused


class LedgerStore:
    """The ledger; it keeps nothing in memory, every method takes the caller's connection."""

    def submit(
        self, connection: Connection, transfers: Sequence[Transfer], *, at_s: UnixSeconds
    ) -> Outcome:
        """
        Take a group of transfers, all or none. Idempotent by each transfer's id.

        A group that came before gets its first outcome, a refusal that depended on balances
        included. An id that comes again with another body, or in another group, is refused and
        recorded. A refusal is returned, not raised, so that the caller can commit the record.
        """
        before = self._seen_before(connection, transfers)
        if before is not None:
            return before
        book = rows.load_book(connection, transfers)
        try:
            if self._clashes(connection, transfers):
                raise TransferDiffersError(transfers[0].id)
            for one in transfers:
                book.apply(one)
        except VoisinError as fault:
            self._keep_refusal(connection, transfers, fault, at_s)
            return Refused(fault)
        log = Log.load(connection)
        first = log.size
        log.append_all(
            connection, [("transfer", one.trace_id, transfer_body(one)) for one in transfers], at_s
        )
        stored = tuple(Stored(one, first + n, at_s) for n, one in enumerate(transfers))
        connection.execute(
            transfer.insert(), [rows.transfer_row(one.transfer, one.seq, at_s) for one in stored]
        )
        rows.save_balances(connection, book.balances.values())
        return Posted(stored, tuple(book.balances.values()), replayed=False)

    def append_record(
        self, connection: Connection, *, name: str, trace_id: str, body: bytes, at_s: UnixSeconds
    ) -> int:
        """Append an entry that is no transfer, and return its position."""
        log = Log.load(connection)
        log.append_all(connection, [(name, trace_id, body)], at_s)
        return log.size - 1

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
        found = connection.execute(
            select(transfer).where(transfer.c.trace_id == trace_id).order_by(transfer.c.seq)
        ).mappings()
        return tuple(Stored(rows.transfer_of(r), r["seq"], UnixSeconds(r["at_s"])) for r in found)

    def open_holds(self, connection: Connection, trace_id: str) -> tuple[Transfer, ...]:
        """Return the pending transfers of a trace id that nothing has resolved, in order."""
        stored = [one.transfer for one in self.transfers_of(connection, trace_id)]
        resolved = {one.pending_id for one in stored if one.pending_id}
        return tuple(one for one in stored if one.kind is Kind.PENDING and one.id not in resolved)

    def root(self, connection: Connection) -> tuple[int, bytes]:
        """Return size and root of the log."""
        log = Log.load(connection)
        return log.size, log.root()

    def prove_inclusion(self, connection: Connection, seq: int) -> tuple[bytes, ...]:
        """Return the proof that entry ``seq`` is in the log as it stands."""
        return inclusion_proof(self._leaf_hashes(connection), seq)

    def prove_consistency(self, connection: Connection, old_size: int) -> tuple[bytes, ...]:
        """Return the proof that the log of ``old_size`` entries is a prefix of this one."""
        return consistency_proof(self._leaf_hashes(connection), old_size)

    def replay(self, connection: Connection) -> ReplayReport:
        """Derive everything again from the entries alone, and say what differs."""
        return replay(connection)

    def _leaf_hashes(self, connection: Connection) -> list[bytes]:
        return list(connection.execute(select(entry.c.leaf_hash).order_by(entry.c.seq)).scalars())

    def _seen_before(self, connection: Connection, transfers: Sequence[Transfer]) -> Outcome | None:
        """Return the first outcome if exactly this group came before."""
        ids = [one.id for one in transfers]
        stored = {
            row["id"]: row
            for row in connection.execute(select(transfer).where(transfer.c.id.in_(ids))).mappings()
        }
        if len(stored) == len(ids) and all(
            rows.transfer_of(stored[one.id]) == one for one in transfers
        ):
            known = tuple(
                Stored(one, stored[one.id]["seq"], UnixSeconds(stored[one.id]["at_s"]))
                for one in transfers
            )
            touched = sorted({a for one in transfers for a in (one.debit, one.credit)})
            now = tuple(self.balance(connection, account) for account in touched)
            return Posted(known, now, replayed=True)
        failed = connection.execute(select(refused).where(refused.c.id == ids[0])).first()
        if failed is not None and failed.body_hash == _group_hash(transfers):
            return Refused(RefusedBeforeError(failed.id, failed.code, failed.detail))
        return None

    def _clashes(self, connection: Connection, transfers: Sequence[Transfer]) -> bool:
        """Say whether an id of the group is taken, by a transfer or by a refusal."""
        ids = [one.id for one in transfers]
        if len(set(ids)) != len(ids):
            return True
        taken = connection.execute(select(transfer.c.id).where(transfer.c.id.in_(ids))).first()
        failed = connection.execute(select(refused.c.id).where(refused.c.id.in_(ids))).first()
        return taken is not None or failed is not None

    def _keep_refusal(
        self,
        connection: Connection,
        transfers: Sequence[Transfer],
        fault: VoisinError,
        at_s: UnixSeconds,
    ) -> None:
        """Journal a refusal, once, and bind the group's first id to it."""
        first = transfers[0]
        body = _group_hash(transfers) + fault.code.encode()
        known = connection.execute(select(refused.c.id).where(refused.c.id == first.id)).first()
        taken = connection.execute(select(transfer.c.id).where(transfer.c.id == first.id)).first()
        self.append_record(
            connection, name="refusal", trace_id=first.trace_id, body=body, at_s=at_s
        )
        if known is None and taken is None:
            connection.execute(
                refused.insert().values(
                    id=first.id,
                    body_hash=_group_hash(transfers),
                    code=fault.code,
                    detail=str(fault),
                )
            )


def _group_hash(transfers: Iterable[Transfer]) -> bytes:
    return hashlib.sha256(b"".join(transfer_body(one) for one in transfers)).digest()
