"""
Tear the end of SQLite's write-ahead log, as a power failure can, and open what is left.

A small ledger is written, and after each commit the length of its log is noted. Copies get their
log cut, filled with zeros or flipped somewhere. What opens must be the ledger as it stood after the
last commit whose bytes all lie before the damage, or a later one: never less, never half of one.
"""

import random
import shutil
from collections import Counter
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sqlalchemy import text

from ledger.store import LedgerStore, migrate, open_engine
from ledger.store.replay import check_file, check_tail
from ledger.tables import metadata
from scripts.campaigns.books.kills import LedgerLostError
from scripts.campaigns.books.requests import AT_S, Requests

_COMMITS: Final = 40
_IMAGES_A_LEDGER: Final = 500
_TAIL: Final = 0.5
_WAYS: Final = ("cut", "zeroed", "flipped")

BOOK: Final = LedgerStore()


def tear_logs(*, images: int, seed: int) -> Counter[str]:
    """
    Open ``images`` torn copies; return how many there were of each kind.

    Raises
    ------
    LedgerLostError
        If one opens with less than was on the disk, or with half a commit.
    """
    dice = random.Random(seed)  # noqa: S311 - replayable, no secret
    done: Counter[str] = Counter()
    with TemporaryDirectory() as name:
        directory = Path(name)
        while sum(done.values()) < images:
            history = _written(directory, dice.randrange(2**32))
            for _ in range(min(_IMAGES_A_LEDGER, images - sum(done.values()))):
                done[_tear(directory, history, dice)] += 1
            for file in directory.iterdir():
                file.unlink()
    return done


def _written(directory: Path, seed: int) -> list[tuple[int, int, bytes]]:
    """Write a ledger; return length of the log, entries and root after each commit."""
    path, log = directory / "whole.sqlite", directory / "whole.sqlite-wal"
    engine = open_engine(path)
    migrate(engine, "ledger", metadata)
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        connection.execute(text("PRAGMA wal_autocheckpoint=0"))
        connection.exec_driver_sql("BEGIN")
    history = [(0, 0, b"")]
    for group in islice(Requests(seed, "torn"), _COMMITS):
        with engine.begin() as connection:
            BOOK.submit(connection, group, at_s=AT_S)
            size, root = BOOK.root(connection)
        history.append((log.stat().st_size, size, root))
    for copied in (path, log):
        shutil.copy(copied, directory / copied.name.replace("whole", "still"))
    engine.dispose()
    return history


def _tear(directory: Path, history: list[tuple[int, int, bytes]], dice: random.Random) -> str:
    """Damage one copy and open it; return how it was damaged."""
    way = dice.choice(_WAYS)
    length = history[-1][0]
    # Half of the damage in the last tenth: that is where a failure strikes.
    least = length * 9 // 10 if dice.random() < _TAIL else 0
    at = dice.randrange(least, length)
    image, log = directory / "image.sqlite", directory / "image.sqlite-wal"
    shutil.copy(directory / "still.sqlite", image)
    whole = (directory / "still.sqlite-wal").read_bytes()
    log.write_bytes(_damaged(whole, way, at, dice))
    (directory / "image.sqlite-shm").unlink(missing_ok=True)
    kept = max(size for end, size, _ in history if end <= at)
    roots = {size: root for _, size, root in history}
    engine = open_engine(image)
    try:
        with engine.begin() as connection:
            check_file(connection)
            check_tail(connection, 0)
            size, root = BOOK.root(connection)
            report = BOOK.replay(connection)
    finally:
        engine.dispose()
    broken = report.log or report.balances or report.holds
    if broken or size < kept or (size and roots.get(size) != root):
        raise LedgerLostError(f"{way} at {at} of {length}: {size} entries, {broken}")
    return way


def _damaged(whole: bytes, way: str, at: int, dice: random.Random) -> bytes:
    if way == "cut":
        return whole[:at]
    if way == "zeroed":
        return whole[:at] + bytes(len(whole) - at)
    return whole[:at] + bytes([whole[at] ^ 1 << dice.randrange(8)]) + whole[at + 1 :]
