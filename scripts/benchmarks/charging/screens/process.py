"""Run the process under test: the whole service with charging sessions, or a bare echo."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from scripts.benchmarks.rows import BenchmarkInvalidError

_STOP_TIMEOUT_S: Final = 60


class Kind(StrEnum):
    """What stands between station and screen."""

    SERVICE = "service"
    ECHO = "echo"


@dataclass(frozen=True, slots=True)
class Seat:
    """A station, and the session that charges there."""

    station: str
    """Its id."""
    password: str
    """Its password."""
    id_tag: str
    """What starts the session."""
    stream: str
    """Path of the session's event stream."""


@dataclass(frozen=True, slots=True)
class Street:
    """A process that serves stations and screens."""

    port: int
    """Where it listens."""
    seats: tuple[Seat, ...]
    """Who charges."""


@contextmanager
def street_of(directory: Path, kind: Kind, sessions: int) -> Iterator[Street]:
    """Let another process serve while the block runs."""
    directory.mkdir(parents=True, exist_ok=True)
    module = f"scripts.benchmarks.charging.screens.{kind}"
    with subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", module, str(directory), str(sessions)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise BenchmarkInvalidError("the process under test has no pipes")
        try:
            told = json.loads(process.stdout.readline() or "{}")
            if "port" not in told:
                raise BenchmarkInvalidError("the process under test did not start")
            yield Street(told["port"], tuple(Seat(**one) for one in told["seats"]))
        finally:
            process.stdin.close()
            process.wait(_STOP_TIMEOUT_S)


def until_told(port: int, seats: list[Seat]) -> None:
    """Say on standard output what runs here, and return when standard input ends."""
    told = {
        "port": port,
        "seats": [
            {
                "station": one.station,
                "password": one.password,
                "id_tag": one.id_tag,
                "stream": one.stream,
            }
            for one in seats
        ],
    }
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
