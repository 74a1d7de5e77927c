"""
The disk under the service, as far as a power cut is concerned.

A life of the service writes into a folder of its own, on a file system in memory where there is
one. When the power goes, the files are copied as they are at that instant, the write-ahead log cut
off wherever the dice say behind what was acknowledged, and the next life opens the copy. Whatever
the old life still does cannot be seen any more.
"""

import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from api.embedded import DATABASE

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
_LOG: Final = f"{DATABASE}-wal"


class Disk:
    """Where the database of one simulation lies, life after life."""

    def __init__(self, template: Path | None = None) -> None:
        """Begin with the files of ``template``, if there is one."""
        self.root: Final = Path(
            mkdtemp(prefix="voisin-", dir=_MEMORY if _MEMORY.is_dir() else None)
        )
        """Everything of this simulation, the chain's folder too."""
        self.life = 0
        """How often the power went."""
        self.here.mkdir()
        if template is not None:
            self._copy(template, None)

    @property
    def here(self) -> Path:
        """Folder of the present life."""
        return self.root / f"life-{self.life}"

    def log_bytes(self) -> int:
        """Return the length of the write-ahead log."""
        log = self.here / _LOG
        return log.stat().st_size if log.exists() else 0

    def power_cut(self, log_bytes: int | None = None) -> None:
        """Begin the next life with what is there, ``log_bytes`` of the write-ahead log at most."""
        before = self.here
        self.life += 1
        self.here.mkdir()
        self._copy(before, log_bytes)

    def remove(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.root)

    def _copy(self, before: Path, log_bytes: int | None) -> None:
        for name in (DATABASE, _LOG):
            if (before / name).exists():
                shutil.copyfile(before / name, self.here / name)
        if log_bytes is not None and log_bytes < self.log_bytes():
            with (self.here / _LOG).open("r+b") as log:
                log.truncate(log_bytes)
