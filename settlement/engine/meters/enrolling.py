"""Check meters before they are enrolled: known zones, one for each party, nothing in the past."""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from ledger.errors import InvalidRequest
from settlement.engine.community import Meter
from settlement.engine.meters.participation import SettledBeforeError, meter_id_of, settled_until
from settlement.engine.service import Service
from settlement.tables import meter

_FEEDER = "feeder"


class UnknownZoneError(InvalidRequest):
    """A meter is to be in a zone that the community does not have."""

    def __init__(self, serial: str, zone: str) -> None:
        super().__init__("unknown_zone", f"meter {serial} is to be in {zone}, which is no zone")


class MetersInTwoZonesError(InvalidRequest):
    """A party's meters are in more than one zone, so that it could not trade in one of them."""

    def __init__(self, party: str, zones: Iterable[str]) -> None:
        super().__init__("meters_in_two_zones", f"{party} has meters in {', '.join(sorted(zones))}")


def check_meters(service: Service, connection: Connection, given: Iterable[Meter]) -> None:
    """
    Check the meters of a roster that are not enrolled yet.

    Raises
    ------
    UnknownZoneError
        If one is in a zone that the community does not have.
    MetersInTwoZonesError
        If a party's meters, those already enrolled included, are in more than one zone.
    SettledBeforeError
        If a meter of a home or of a feeder is to count in an interval that is settled.
    """
    root = service.rules.tree.root.name
    stored = connection.execute(
        select(meter.c.meter_id, meter.c.valid_from_s, meter.c.party, meter.c.kind, meter.c.zone)
    ).all()
    known = {(row.meter_id, row.valid_from_s) for row in stored}
    new = [one for one in given if (meter_id_of(one.serial), one.valid_from_s) not in known]
    settled_s = settled_until(service, connection)
    for one in new:
        if (one.zone or root) not in service.rules.tree.index:
            raise UnknownZoneError(one.serial, one.zone or root)
        if one.kind != "station" and one.valid_from_s < settled_s:
            raise SettledBeforeError(f"meter {one.serial} counts", one.valid_from_s, settled_s)
    placed = [(row.party, row.kind, row.zone) for row in stored]
    zones: dict[str, set[str]] = {}
    for holder, kind, zone in (*placed, *((one.party, one.kind, one.zone) for one in new)):
        if kind != _FEEDER:
            zones.setdefault(holder, set()).add(zone or root)
    for party, found in sorted(zones.items()):
        if len(found) > 1:
            raise MetersInTwoZonesError(party, found)
