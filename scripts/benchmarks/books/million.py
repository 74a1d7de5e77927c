"""
Fill a ledger with EV sessions in a process of its own, or open one again: ``FILE SESSIONS``.

It prints a line of JSON when it is done, then goes on writing until it is killed, so that whoever
started it can kill it in the middle of a write. ``FILE`` alone opens what is there after such an
end, checks it, writes one transfer and says so.
"""

import json
import resource
import sys
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from time import perf_counter_ns
from typing import Final

from sqlalchemy import Engine

from ledger.accounts import vault_driver, vault_earned, world
from ledger.store import LedgerStore, migrate, open_engine
from ledger.store.lease import Lease
from ledger.store.replay import check_file, check_tail
from ledger.tables import metadata
from ledger.transfers import Kind, Transfer, TransferId
from ledger.units import UnixSeconds

BATCH: Final = 1_000
FUNDED: Final = 1_000
"""Entries before the first session."""
_METERS: Final = 50
_DEPOSIT: Final = 5_000_000
_CHARGE: Final = 3_141_592
AT_S: Final = UnixSeconds(1_494_230_400)
_TAIL: Final = 10_000
_MIB: Final = 1024

BOOK: Final = LedgerStore()


def main() -> None:
    """Do what the arguments say."""
    if sys.argv[1:] == ["--help"]:
        print(__doc__)
        return
    path, sessions = Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else None
    if sessions is None:
        reopen(path)
        return
    engine = open_engine(path)
    migrate(engine, "ledger", metadata)
    fund(engine)
    batches = _sessions()
    began_ns = perf_counter_ns()
    for _ in range(sessions // BATCH):
        _settle(engine, next(batches))
    elapsed_ns = perf_counter_ns() - began_ns
    memory_kib = _resident_kib()
    print(json.dumps({"elapsed_ns": elapsed_ns, "memory_kib": memory_kib}), flush=True)
    for batch in batches:
        _settle(engine, batch)


def reopen(path: Path) -> None:
    """Open the ledger as after any end, write one transfer, say how long each step took."""
    steps: dict[str, int] = {}

    began_ns = perf_counter_ns()

    def step(name: str) -> None:
        steps[name] = perf_counter_ns() - began_ns - sum(steps.values())

    engine = open_engine(path)
    lease = Lease.take(engine)
    migrate(engine, "ledger", metadata)
    epoch = lease.begin_epoch()
    step("lease")
    with engine.begin() as connection:
        check_file(connection)
        step("quick check")
        check_tail(connection, max(0, BOOK.root(connection)[0] - _TAIL))
        step("log since the last checkpoint")
        BOOK.expire_due(connection, at_s=AT_S)
        step("expiry")
        BOOK.submit(connection, (_deposit(f"after/{epoch}", 0),), at_s=AT_S).unwrap()
    step("first write")
    print(json.dumps(steps), flush=True)


def fund(engine: Engine) -> None:
    """Give every driver enough for all sessions."""
    groups = [(_deposit(f"fund/{n}", n, 10**15),) for n in range(FUNDED)]
    with engine.begin() as connection:
        BOOK.submit_many(connection, groups, at_s=AT_S)


def _deposit(name: str, driver: int, amount: int = 1) -> Transfer:
    return Transfer(
        id=TransferId(name),
        kind=Kind.POSTED,
        debit=world(),
        credit=vault_driver(f"0x{driver:040x}"),
        amount=amount,
        code="deposit",
        trace_id=name,
    )


def _sessions() -> Iterator[tuple[list[tuple[Transfer]], list[tuple[Transfer]]]]:
    """Yield a thousand holds and the posts that end them, for ever."""
    numbers = count()
    while True:
        holds, posts = [], []
        for number in islice(numbers, BATCH):
            debit = vault_driver(f"0x{number % FUNDED:040x}")
            credit = vault_earned(f"0x{number % _METERS:064x}")
            trace_id = f"0x{number * 2_654_435_761 % 2**64:064x}"
            hold = Transfer(
                id=TransferId(f"{trace_id}/hold"),
                kind=Kind.PENDING,
                debit=debit,
                credit=credit,
                amount=_DEPOSIT,
                code="hold",
                trace_id=trace_id,
            )
            holds.append((hold,))
            charge = Transfer(
                id=TransferId(f"{trace_id}/charge"),
                kind=Kind.POST,
                debit=debit,
                credit=credit,
                amount=_CHARGE + number % 1_000,
                code="charge",
                trace_id=trace_id,
                pending_id=hold.id,
            )
            posts.append((charge,))
        yield holds, posts


def _settle(engine: Engine, batch: tuple[list[tuple[Transfer]], list[tuple[Transfer]]]) -> None:
    """Hold and capture a thousand sessions, each half durable before the next begins."""
    for groups in batch:
        with engine.begin() as connection:
            for outcome in BOOK.submit_many(connection, groups, at_s=AT_S):
                outcome.unwrap()


def _resident_kib() -> int:
    """Return the memory of this process now, in KiB; Linux says it, others the most there was."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
