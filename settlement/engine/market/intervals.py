"""Settle an interval: collect, compute, write lines and transfers and the intent, send."""

import json
from typing import Any, Final

from sqlalchemy import Connection, func, select

from settlement.chain.lanes import pack
from settlement.chain.outbox import Call
from settlement.engine.finality import advance
from settlement.engine.intake import emit
from settlement.engine.market.collecting import Collected, collect, without_stations
from settlement.engine.market.lanes import by_lane
from settlement.engine.market.posting import transfers
from settlement.engine.market.progress import settled_through
from settlement.engine.service import Service, wallet_of
from settlement.tables import line, run, run_state
from settlement.trading.lines import Line
from settlement.trading.settle import Settlement, settle, traded

_SETTLE_GAS: Final = 6_000_000
_INITIAL: Final = 0


def settle_interval(service: Service, interval: int) -> int:
    """
    Settle ``interval`` and send it to the chain; return the run's number.

    Idempotent by interval: a settled one is not settled again. What members asked the contract for
    is read first, since it limits what may be counted on.
    """
    advance(service)
    with service.writing() as connection:
        known = connection.execute(select(run.c.run).where(run.c.interval == interval)).scalar()
        if known is None:
            newest = connection.execute(select(func.max(run.c.run))).scalar()
            known = (newest or 0) + 1
            _settle(service, connection, interval, known)
    advance(service)
    return int(known)


def _settle(service: Service, connection: Connection, interval: int, number: int) -> None:
    now_s = service.clock.now_s()
    through = settled_through(service, connection, interval)
    collected = collect(service, connection, interval, number, funds=None)
    outcome = settle(collected.inputs)
    _keep_run(service, connection, collected, outcome)
    trace_id = f"{service.rules.community_id}/{interval}/{number}"
    moves = tuple(transfers(service, connection, collected, outcome, trace_id))
    if moves:
        service.book.submit(connection, moves, at_s=now_s).unwrap()
    service.book.append_record(
        connection, name="run_settled", trace_id=trace_id, body=outcome.root, at_s=now_s
    )
    trade = service.contracts.trade
    data = trade.encode(
        "settle",
        number,
        interval,
        through,
        _INITIAL,
        0,
        outcome.root,
        pack(by_lane(connection, outcome.deltas)),
    )
    service.outbox.plan(
        connection,
        business_key=f"settle/{number}",
        trace_id=trace_id,
        call=Call(trade.address, data, "TradeLedger.settle", _SETTLE_GAS),
    )
    emit(
        connection,
        "interval_computed",
        trace_id=trace_id,
        at_s=now_s,
        traded_wh=outcome.traded_wh,
        price_micros_per_kwh=outcome.price,
        root="0x" + outcome.root.hex(),
    )


def _keep_run(
    service: Service, connection: Connection, collected: Collected, outcome: Settlement
) -> None:
    inputs = collected.inputs
    operator = wallet_of(connection, service.rules.operator_party)
    homes_only_wh = traded(without_stations(collected, operator))
    connection.execute(
        run.insert().values(
            run=inputs.run,
            interval=inputs.interval,
            kind=_INITIAL,
            root=outcome.root,
            traded_wh=outcome.traded_wh,
            stations_wh=collected.stations_wh,
            sun_to_cars_wh=sum(t.energy_wh for t in outcome.trades if t.buyer == operator),
            home_to_home_wh=homes_only_wh,
            surplus_wh=outcome.surplus_wh,
            deficit_wh=outcome.deficit_wh,
            losses_wh=collected.losses_wh,
            price_micros_per_kwh=outcome.price,
            estimated=int(any(one.estimated for one in collected.metered)),
            inputs=json.dumps(_noted(service, collected), sort_keys=True),
            at_s=service.clock.now_s(),
        )
    )
    connection.execute(run_state.insert().values(run=inputs.run, state="settling"))
    rows = [_row(inputs.run, position, one) for position, one in enumerate(outcome.lines)]
    if rows:
        connection.execute(line.insert(), rows)


def _noted(service: Service, collected: Collected) -> dict[str, Any]:
    """Return the interval's instants, and what no message will say again, the funds of then."""
    interval = collected.inputs.interval
    return {
        "begin_s": service.rules.start_s(interval),
        "end_s": service.rules.end_s(interval),
        "spendable": {
            member.account: member.spendable_micros
            for member in collected.inputs.members
            if member.account in collected.joined
        },
        "flags": {one.party: one.flags.words for one in collected.metered if one.flags},
        "ahead": dict(register for one in collected.metered for register in one.ahead),
    }


def _row(number: int, position: int, one: Line) -> dict[str, object]:
    return {
        "run": number,
        "position": position,
        "payer": one.payer,
        "payee": one.payee,
        "kind": one.kind.value,
        "rail": one.rail.value,
        "energy_wh": one.energy_wh,
        "amount_micros": one.amount_micros,
        "price_micros_per_kwh": one.price,
    }
