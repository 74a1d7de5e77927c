"""Keep what stations send, byte for byte, before anything is thought about it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ledger.errors import VoisinError
from ledger.units import UnixSeconds
from settlement.engine.charging.running import keep_refused, station_message
from settlement.engine.service import Service
from settlement.tables import frame


@dataclass(frozen=True, slots=True)
class Frame:
    """One text message of a station."""

    station_id: str
    """Who sent it."""
    body: str
    """The text."""
    at_s: UnixSeconds
    """When it came, in Unix seconds."""


def keep_frames(connection: Connection, frames: Sequence[Frame]) -> None:
    """Store frames in the order they came."""
    connection.execute(
        frame.insert(),
        [{"station_id": one.station_id, "body": one.body, "at_s": one.at_s} for one in frames],
    )


def refuse_frame(service: Service, station_id: str, body: bytes, fault: VoisinError) -> None:
    """Keep a frame, or a part of one, that cannot be read in quarantine, with the reason."""
    keep_refused(service, station_message("frame", station_id, body, ""), fault)
