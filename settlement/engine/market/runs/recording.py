"""Write a computed run: its row, its lines, its transfers."""

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, func, select

from settlement.engine.grid.keeping import keep_outcome
from settlement.engine.intake import emit
from settlement.engine.market.collecting import Collected, without_stations
from settlement.engine.market.runs.computing import Computed
from settlement.engine.market.runs.posting import transfers
from settlement.engine.service import Service, wallet_of
from settlement.tables import line, run, run_state
from settlement.trading.runs import Difference
from settlement.trading.settle import traded

_ADDED: Final = (
    run.c.traded_wh,
    run.c.stations_wh,
    run.c.sun_to_cars_wh,
    run.c.home_to_home_wh,
    run.c.surplus_wh,
    run.c.deficit_wh,
    run.c.losses_wh,
)
"""Figures of which a correction's row holds what it adds to the rows before."""


def record_run(service: Service, connection: Connection, computed: Computed) -> None:
    """Write ``computed`` in the caller's transaction; the chain is told of it with its period."""
    now_s = service.clock.now_s()
    inputs = computed.collected.inputs
    trace_id = f"{service.rules.community_id}/{inputs.interval}/{inputs.run}"
    moves = tuple(transfers(service, connection, computed, trace_id))
    _keep(service, connection, computed)
    if moves:
        service.book.submit(connection, moves, at_s=now_s).unwrap()
    service.book.append_record(
        connection, name="run_settled", trace_id=trace_id, body=computed.root, at_s=now_s
    )
    _tell(service, connection, computed, trace_id)


def _tell(service: Service, connection: Connection, computed: Computed, trace_id: str) -> None:
    details: dict[str, Any] = {
        "traded_wh": computed.whole.traded_wh,
        "price_micros_per_kwh": computed.whole.price,
        "root": "0x" + computed.root.hex(),
    }
    name, now_s = "interval_computed", service.clock.now_s()
    if computed.amended is not None:
        name, details = "interval_corrected", details | {"amends": computed.amended.amends}
    emit(connection, name, trace_id=trace_id, at_s=now_s, **details)


def _keep(service: Service, connection: Connection, computed: Computed) -> None:
    collected, whole = computed.collected, computed.whole
    number, interval = collected.inputs.run, collected.inputs.interval
    figures = _figures(service, connection, computed)
    amends = None
    if computed.amended is not None:
        amends = computed.amended.amends
        figures = _beyond(connection, interval, figures)
    connection.execute(
        run.insert().values(
            run=number,
            interval=interval,
            kind=int(computed.kind),
            amends=amends,
            root=computed.root,
            **figures,
            price_micros_per_kwh=whole.price,
            estimated=int(any(one.estimated for one in collected.metered)),
            inputs=json.dumps(_noted(service, computed), sort_keys=True),
            at_s=service.clock.now_s(),
        )
    )
    connection.execute(run_state.insert().values(run=number, state="settling"))
    rows = [_row(computed, position, one) for position, one in enumerate(computed.lines)]
    if rows:
        connection.execute(line.insert(), rows)
    keep_outcome(service, connection, collected.inputs, whole)


def _figures(
    service: Service, connection: Connection, computed: Computed
) -> Mapping[str, int | None]:
    """Return the figures of the whole interval."""
    collected, whole = computed.collected, computed.whole
    operator = wallet_of(connection, service.rules.operator_party)
    homes_only_wh = traded(without_stations(collected, operator))
    return {
        "traded_wh": whole.traded_wh,
        "stations_wh": collected.stations_wh,
        "sun_to_cars_wh": sum(t.energy_wh for t in whole.trades if t.buyer == operator),
        "home_to_home_wh": homes_only_wh,
        "surplus_wh": whole.surplus_wh,
        "deficit_wh": whole.deficit_wh,
        "losses_wh": collected.losses_wh,
    }


def _beyond(
    connection: Connection, interval: int, figures: Mapping[str, int | None]
) -> Mapping[str, int | None]:
    """Return what the figures of an interval add to those of its runs so far."""
    sums = connection.execute(
        select(*(func.sum(column).label(column.name) for column in _ADDED)).where(
            run.c.interval == interval
        )
    ).mappings()
    before = sums.one()
    return {
        name: None
        if value is None and before[name] is None
        else (value or 0) - int(before[name] or 0)
        for name, value in figures.items()
    }


def _noted(service: Service, computed: Computed) -> dict[str, Any]:
    """Return the interval's instants, and what no message will say again: the funds of then."""
    collected = computed.collected
    interval = collected.inputs.interval
    noted: dict[str, Any] = {
        "begin_s": service.rules.start_s(interval),
        "end_s": service.rules.end_s(interval),
        "spendable": _spendable(collected),
        "flags": {one.party: one.flags.words for one in collected.metered if one.flags},
        "ahead": dict(register for one in collected.metered for register in one.ahead),
    }
    if computed.amended is not None:
        noted["debitable"] = dict(computed.amended.debitable)
    return noted


def _spendable(collected: Collected) -> dict[str, int]:
    return {
        member.account: member.spendable_micros
        for member in collected.inputs.members
        if member.account in collected.joined
    }


def _row(computed: Computed, position: int, one: Difference) -> dict[str, object]:
    given = one.line
    return {
        "run": computed.collected.inputs.run,
        "position": position,
        "payer": given.payer,
        "payee": given.payee,
        "kind": given.kind.value,
        "rail": given.rail.value,
        "energy_wh": given.energy_wh,
        "amount_micros": given.amount_micros,
        "price_micros_per_kwh": given.price,
        "taker": None if computed.amended is None else one.taker,
    }
