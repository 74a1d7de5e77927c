"""Read a whole folder: the community, its meters and what they measured."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from api.market.reading.cells import FolderFileError
from api.market.reading.community import read_community
from api.market.reading.meters import read_meters
from api.market.reading.orders import with_orders
from api.market.reading.readings import read_readings
from settlement.engine.batch.model import Batch, MeterKind


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder, read and checked."""

    batch: Batch
    """What is settled."""
    names: Mapping[str, str]
    """Names of accounts, for people."""


def read_folder(folder: Path) -> Folder:
    """
    Read a folder.

    Raises
    ------
    FolderError
        If a file is missing or not as documented; names file, row and column, or key.
    """
    if not folder.is_dir():
        raise FolderFileError(str(folder), "there is no such folder")
    described = read_community(folder)
    community = described.community
    meters = read_meters(folder, frozenset(one.name for one in community.members))
    measured = read_readings(folder, meters, community.interval_s)
    sunny = {one.member for one in measured if one.kind is MeterKind.PV}
    members = tuple(
        replace(one, solar=one.solar or one.name in sunny)
        for one in with_orders(folder, community.members, community.interval_s)
    )
    return Folder(Batch(replace(community, members=members), measured), described.names)
