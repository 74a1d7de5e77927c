"""
Rules of the grid operator: tolls and caps of a zone, signed, with effect from an interval.

The signed message is EIP-712 ``ZoneRule``. A cap of 2^64 - 1 Wh is no cap.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from contracts.typed_data import Domain, TypedDataError, hash_struct
from ledger.errors import InvalidRequest, NotFound
from ledger.units import MicrosPerKilowattHour, WattHours
from settlement.trading.grid.signing import check_signer, signer_of_notice
from settlement.trading.zones import Zone, ZoneTree

NO_CAP_WH: Final = WattHours(2**64 - 1)
"""What is signed where there is no cap, in Wh."""
_TOLL_MAX: Final = 2**31 - 1
_CAP_MAX_WH: Final = 2**63 - 1


class BadZoneRuleError(InvalidRequest):
    """A toll or cap is below zero or beyond what the market can count."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_zone_rule", detail)


class NoSuchZoneError(NotFound):
    """The community has no zone of that name."""

    def __init__(self, zone: str) -> None:
        super().__init__("no_such_zone", f"the community has no zone {zone!r}")


@dataclass(frozen=True, slots=True)
class ZoneRule:
    """Tolls and caps of one zone, all of them, from an interval on."""

    first_interval: int
    """First interval in which it counts."""
    zone: str
    """Zone."""
    local_toll: MicrosPerKilowattHour
    """Toll of every kWh bought in the zone."""
    edge_toll: MicrosPerKilowattHour
    """Toll of every kWh that crosses the edge to its parent."""
    import_cap_wh: WattHours | None
    """Most that may come in from the parent in an interval, in Wh; None is no limit."""
    export_cap_wh: WattHours | None
    """Most that may go out to the parent in an interval, in Wh; None is no limit."""
    nonce: int
    """Its number; of two rules of one zone and interval the higher one counts."""


def rule_hash(rule: ZoneRule) -> bytes:
    """
    Return the struct hash of a rule, 32 bytes.

    Raises
    ------
    BadZoneRuleError
        If a value does not fit its type.
    """
    try:
        return hash_struct("ZoneRule", _values(rule))
    except TypedDataError as fault:
        raise BadZoneRuleError(str(fault)) from fault


def verify_rule(
    domain: Domain, tree: ZoneTree, rule: ZoneRule, signature: bytes, grid_operator: str
) -> None:
    """
    Check that the grid operator signed a rule of a zone of ``tree``.

    Parameters
    ----------
    grid_operator
        Its wallet, lower case.

    Raises
    ------
    BadZoneRuleError
        If a toll or cap makes no sense.
    NoSuchZoneError
        If there is no such zone.
    NotSignedByGridError
        If somebody else signed.
    """
    _check(rule)
    if rule.zone not in tree.index:
        raise NoSuchZoneError(rule.zone)
    rule_hash(rule)
    check_signer(signer_of_notice(domain, "ZoneRule", _values(rule), signature), {grid_operator})


def in_force(tree: ZoneTree, rules: Iterable[ZoneRule], interval: int) -> ZoneTree:
    """
    Return the zones with the tolls and caps of ``interval``; the order of rules does not matter.

    Of a zone's rules the one that begins last counts, and of those that begin together the one of
    the highest nonce. A rule of a zone that is not there changes nothing.
    """
    newest: dict[str, ZoneRule] = {}
    for rule in rules:
        if rule.first_interval <= interval:
            known = newest.get(rule.zone)
            if known is None or _rank(rule) > _rank(known):
                newest[rule.zone] = rule
    if not newest:
        return tree
    return ZoneTree.of(
        _ruled(zone, newest[zone.name]) if zone.name in newest else zone for zone in tree.zones
    )


def _rank(rule: ZoneRule) -> tuple[int, int]:
    return rule.first_interval, rule.nonce


def _ruled(zone: Zone, rule: ZoneRule) -> Zone:
    return replace(
        zone,
        local_toll=rule.local_toll,
        edge_toll=rule.edge_toll,
        import_cap_wh=rule.import_cap_wh,
        export_cap_wh=rule.export_cap_wh,
    )


def _check(rule: ZoneRule) -> None:
    for name, toll in (("local", rule.local_toll), ("edge", rule.edge_toll)):
        if not 0 <= toll <= _TOLL_MAX:
            raise BadZoneRuleError(f"a {name} toll of {toll} is not from 0 to {_TOLL_MAX}")
    for name, cap in (("import", rule.import_cap_wh), ("export", rule.export_cap_wh)):
        if cap is not None and not 0 <= cap <= _CAP_MAX_WH:
            raise BadZoneRuleError(f"an {name} cap of {cap} Wh is not from 0 to {_CAP_MAX_WH}")


def _values(rule: ZoneRule) -> dict[str, object]:
    return {
        "firstInterval": rule.first_interval,
        "zone": rule.zone,
        "localToll": rule.local_toll,
        "edgeToll": rule.edge_toll,
        "importCapWh": _signed(rule.import_cap_wh),
        "exportCapWh": _signed(rule.export_cap_wh),
        "nonce": rule.nonce,
    }


def _signed(cap_wh: WattHours | None) -> WattHours:
    return NO_CAP_WH if cap_wh is None else cap_wh
