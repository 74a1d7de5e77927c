"""
What a witness must not lose: its key, and of each log the last tree that it cosigned.

A cosignature says that no other history of the log was cosigned before, so the tree is on disk
before the cosignature leaves. A witness whose memory is lost, but not its key, must not go on.
"""

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.errors import Integrity
from ledger.proofs.notes import check_name
from ledger.proofs.witness import (
    NOTHING,
    Held,
    HeldDiffersError,
    NotConsistentError,
    Submission,
    Witness,
)
from ledger.units import UnixSeconds

KEY_FILE: Final = "witness.key"
STATE_FILE: Final = "witness.sqlite"
_NEW_KEY_FILE: Final = "witness.key.new"
_KEY_BYTES: Final = 32
_LOCK_TIMEOUT_S: Final = 5
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS identity (
    id INTEGER PRIMARY KEY CHECK (id = 0), name TEXT NOT NULL, public_key BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS held (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL,
    at_s INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS contradiction (
    origin TEXT NOT NULL, note TEXT NOT NULL, held_note TEXT NOT NULL, at_s INTEGER NOT NULL,
    PRIMARY KEY (origin, note)
) STRICT;
"""


class WitnessStateError(Integrity):
    """The directory of a witness holds no whole state, or that of another witness."""

    def __init__(self, detail: str) -> None:
        super().__init__("witness_state", detail)


class WitnessState:
    """The directory of a witness, open."""

    def __init__(self, directory: Path, name: str) -> None:
        """
        Open ``directory``; a fresh one gets a key and no trees.

        Raises
        ------
        WitnessStateError
            If the key or the trees are missing or of another witness, or others may read the key.
        BadNoteError
            If ``name`` can be no key's.
        """
        check_name(name)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory: Final = directory
        self._lock: Final = threading.Lock()
        self._database: Final = sqlite3.connect(
            directory / STATE_FILE,
            timeout=_LOCK_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
        # EXTRA also syncs the directory, so that a commit outlives a power cut in every mode.
        self._database.execute("PRAGMA synchronous=EXTRA")
        self._database.executescript(_TABLES)
        self.key: Final = self._open_key(name)
        """Its key."""

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def held(self, origin: str) -> Held:
        """Return the tree of a log that was cosigned last."""
        with self._lock:
            return self._held(origin)[0]

    def contradictions(self) -> tuple[tuple[str, str], ...]:
        """Return signed notes that did not go on from what was held: (refused, held)."""
        with self._lock:
            rows = self._database.execute("SELECT note, held_note FROM contradiction ORDER BY at_s")
            return tuple((str(note), str(held)) for note, held in rows)

    def add_checkpoint(self, witness: Witness, given: Submission, *, at_s: UnixSeconds) -> str:
        """
        Return the cosignature's line once the tree is on disk.

        Reading, judging and keeping are one transaction, so no two submissions see one tree.

        Raises
        ------
        VoisinError
            What ``Witness.add_checkpoint`` raises; what the log signed against itself is kept.
        """
        head = witness.judge(given)
        try:
            with self._writing():
                held, cosigned_at_s = self._held(head.origin)
                # The instant of a cosignature never goes back, whatever the clock does.
                at_s = max(at_s, cosigned_at_s)
                cosigned = witness.add_checkpoint(held, given, at_s=at_s)
                self._database.execute(
                    "INSERT INTO held VALUES (?, ?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE SET "
                    "size = excluded.size, root = excluded.root, note = excluded.note, "
                    "at_s = excluded.at_s",
                    (head.origin, head.size, head.root, given.note.encoded(), at_s),
                )
        except (HeldDiffersError, NotConsistentError) as fault:
            if given.old_size == self.held(head.origin).size:
                self._keep_contradiction(head.origin, given, at_s)
            raise fault from None
        return cosigned.line

    def _held(self, origin: str) -> tuple[Held, UnixSeconds]:
        found = self._database.execute(
            "SELECT size, root, at_s FROM held WHERE origin = ?", (origin,)
        ).fetchone()
        if found is None:
            return NOTHING, UnixSeconds(0)
        return Held(found[0], found[1]), UnixSeconds(found[2])

    def _keep_contradiction(self, origin: str, given: Submission, at_s: UnixSeconds) -> None:
        """Keep both notes: if the proof was the log's own, they prove that it split."""
        with self._writing():
            self._database.execute(
                "INSERT OR IGNORE INTO contradiction "
                "SELECT ?, ?, coalesce((SELECT note FROM held WHERE origin = ?), ''), ?",
                (origin, given.note.encoded(), origin, at_s),
            )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Open a transaction; it is on disk when the block is left, or nothing of it is kept."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            finally:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")

    def _open_key(self, name: str) -> Ed25519PrivateKey:
        """Return the key, made at the first start; any end in between leaves a whole state."""
        identity = self._database.execute("SELECT name, public_key FROM identity").fetchone()
        path, draft = self._directory / KEY_FILE, self._directory / _NEW_KEY_FILE
        if identity is None and path.exists():
            raise WitnessStateError(f"{path} is there, and the trees that it cosigned are not")
        if identity is None:
            made = Ed25519PrivateKey.generate()
            draft.unlink(missing_ok=True)
            _write_private(draft, made.private_bytes_raw())
            identity = (name, made.public_key().public_bytes_raw())
            with self._writing():
                self._database.execute("INSERT INTO identity VALUES (0, ?, ?)", identity)
        if not path.exists() and draft.exists():
            draft.rename(path)
            _sync_directory(self._directory)
        return _read_key(path, name, identity)


def _read_key(path: Path, name: str, identity: tuple[str, bytes]) -> Ed25519PrivateKey:
    if not path.exists():
        raise WitnessStateError(f"{path} is missing")
    if path.stat().st_mode & _OTHERS:
        raise WitnessStateError(f"others than its owner may use {path}")
    raw = path.read_bytes()
    if len(raw) != _KEY_BYTES:
        raise WitnessStateError(f"{path} holds no key")
    key = Ed25519PrivateKey.from_private_bytes(raw)
    if (name, key.public_key().public_bytes_raw()) != identity:
        raise WitnessStateError(f"{path.parent} is the directory of {identity[0]}, or of its key")
    return key


def _write_private(path: Path, raw: bytes) -> None:
    """Write a file that its owner alone may read, down to the disk."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, raw)
        os.fsync(handle)
    finally:
        os.close(handle)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
