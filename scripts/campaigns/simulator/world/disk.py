"""
The disk under the service, as far as a power cut is concerned.

A life of the service writes into a folder of its own, on a file system in memory where there is
one. When the power goes, the next life opens what was on the disk at that instant; whatever the old
life still does cannot be seen any more. A commit under way may be there in part: any of its
sectors, in any order.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Final

from api.embedded import DATABASE

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
_LOG: Final = f"{DATABASE}-wal"
_SECTOR: Final = 512

Image = Mapping[str, bytes]
"""Contents of the database and of its write-ahead log, by name of the file."""


class Disk:
    """Where the database of one simulation lies, life after life."""

    def __init__(self, template: Path | None = None) -> None:
        """Begin with the files of ``template``, if there is one."""
        memory = _MEMORY if _MEMORY.is_dir() else None
        self.root: Final = Path(mkdtemp(prefix="voisin-", dir=memory))
        """Everything of this simulation, the chain's folder too."""
        self.life = 0
        """How often the power went."""
        self.here.mkdir()
        if template is not None:
            self._write(_read(template))

    @property
    def here(self) -> Path:
        """Folder of the present life."""
        return self.root / f"life-{self.life}"

    def image(self) -> Image:
        """Return what is on the disk."""
        return _read(self.here)

    def power_cut(self, left: Image | None = None) -> None:
        """Begin the next life with ``left``, or with what is there."""
        left = left or self.image()
        self.life += 1
        self.here.mkdir()
        self._write(left)

    def remove(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.root)

    def _write(self, image: Image) -> None:
        for name, content in image.items():
            (self.here / name).write_bytes(content)


def torn(before: Image, after: Image, dice: Random) -> Image:
    """Return what is left of a commit: of each sector of the log the old or the new content."""
    old, new = before.get(_LOG, b""), after.get(_LOG, b"")
    log = bytearray()
    for at in range(0, len(new), _SECTOR):
        sector, was = new[at : at + _SECTOR], old[at : at + _SECTOR]
        if sector == was or dice.randrange(2):
            log += sector
        else:
            log += was.ljust(len(sector), b"\0")
    # A checkpoint comes after the commit is whole, so the database is as before.
    return {DATABASE: before[DATABASE], _LOG: bytes(log)}


def _read(folder: Path) -> Image:
    files = (folder / name for name in (DATABASE, _LOG))
    return {one.name: one.read_bytes() for one in files if one.exists()}
