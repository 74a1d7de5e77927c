"""Take rules of the grid operator, and say which tolls and caps an interval has."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, select

from ledger.errors import WrongState
from ledger.units import MicrosPerKilowattHour, WattHours
from settlement.engine.intake import Message, Outcome, emit, take
from settlement.engine.service import Service, unwrap, wallet_of
from settlement.tables import zone_rule
from settlement.trading.grid.rules import ZoneRule, in_force, rule_hash, verify_rule
from settlement.trading.zones import ZoneTree


class RuleTooLateError(WrongState):
    """A rule is for an interval that has begun."""

    def __init__(self, first_interval: int, current: int) -> None:
        super().__init__(
            "rule_too_late", f"interval {first_interval} has begun; {current} is the current one"
        )


def record_rule(
    service: Service, *, given: ZoneRule, signature: bytes, body: bytes
) -> dict[str, Any]:
    """
    Take tolls and caps of a zone, signed by the grid operator. Idempotent by nonce.

    Raises
    ------
    BadZoneRuleError
        If a toll or cap makes no sense.
    NoSuchZoneError
        If there is no such zone.
    NotSignedByGridError
        If somebody else than the grid operator signed.
    RuleTooLateError
        If its first interval has begun.
    """
    message = Message(
        key=f"zone-rule/{given.nonce}",
        kind="zone_rule",
        source=service.rules.grid_party,
        body=body,
        trace_id=f"{service.rules.community_id}/zone/{given.zone}",
    )
    with service.writing() as connection:
        taken = take(
            connection,
            service.book,
            message,
            at_s=service.clock.now_s(),
            judge=lambda: _keep(service, connection, given, signature),
        )
    return dict(unwrap(taken).outcome)


def zones_at(connection: Connection, tree: ZoneTree, interval: int) -> ZoneTree:
    """
    Return ``tree`` with the tolls and caps of an interval; the same answer ever after it began.

    No rule is taken for an interval that has begun, so a settlement that is computed again meets
    the rules that the first one met.
    """
    return in_force(tree, _rules_until(connection, interval), interval)


def _rules_until(connection: Connection, interval: int) -> Iterator[ZoneRule]:
    rows = connection.execute(select(zone_rule).where(zone_rule.c.first_interval <= interval))
    for row in rows:
        yield ZoneRule(
            first_interval=row.first_interval,
            zone=row.zone,
            local_toll=MicrosPerKilowattHour(row.local_toll),
            edge_toll=MicrosPerKilowattHour(row.edge_toll),
            import_cap_wh=_cap(row.import_cap_wh),
            export_cap_wh=_cap(row.export_cap_wh),
            nonce=row.nonce,
        )


def _cap(stored: int | None) -> WattHours | None:
    return None if stored is None else WattHours(stored)


def _keep(service: Service, connection: Connection, given: ZoneRule, signature: bytes) -> Outcome:
    rules, now_s = service.rules, service.clock.now_s()
    grid_operator = wallet_of(connection, rules.grid_party)
    verify_rule(service.domain, rules.tree, given, signature, grid_operator)
    current = rules.interval_of(now_s)
    if given.first_interval <= current:
        raise RuleTooLateError(given.first_interval, current)
    struct_hash = rule_hash(given)
    connection.execute(
        zone_rule.insert().values(
            **dataclasses.asdict(given), struct_hash=struct_hash, signature=signature, at_s=now_s
        )
    )
    emit(
        connection,
        "zone_rule_accepted",
        trace_id=f"{rules.community_id}/zone/{given.zone}",
        at_s=now_s,
        **dataclasses.asdict(given),
    )
    return {
        "zone": given.zone,
        "first_interval": given.first_interval,
        "begin_s": rules.start_s(given.first_interval),
        "struct_hash": f"0x{struct_hash.hex()}",
    }
