"""
Check every law L1-L11 over everything that is stored, and name the first violation of each.

``docs/reference/laws.md`` says what each law means. A law's check returns None if it holds.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import Connection, func, select

from ledger.store.migrating import guards, guards_of
from ledger.tables import IMMUTABLE as LEDGER_IMMUTABLE
from settlement.audit.books import expectations, ledger_sums
from settlement.audit.certificates import certified_once
from settlement.audit.recomputation import recompute
from settlement.chain.reconciliation import reconcile
from settlement.engine.checkpoints import first_inconsistent
from settlement.engine.intake import Message, take
from settlement.engine.market.readings import take_readings
from settlement.engine.market.registers import first_head_astray, key_of, stored_readings
from settlement.engine.market.statements.documents import first_astray
from settlement.engine.service import Service
from settlement.tables import IMMUTABLE, inbox, line, run, session, slice_

Check = Callable[[Service, Connection], str | None]

_REPLAYED_MESSAGES: Final = 500


def check_laws(
    service: Service, durable: Callable[[Service, Connection], str | None]
) -> Mapping[str, str | None]:
    """
    Return, for each law, None or its first violation in words.

    ``durable`` checks L11: the composition root opens anew what is on disk and compares.
    """
    found: dict[str, str | None] = {}
    with service.reading() as connection:
        found |= {name: check(service, connection) for name, check in _CHECKS.items()}
        found |= _ledger_laws(service, connection)
        found |= _settlement_laws(service, connection)
        found["L11"] = durable(service, connection)
    found["L6"] = replays_change_nothing(service)
    return {name: found[name] for name in sorted(found, key=lambda law: int(law[1:]))}


def deposit_is_charge_plus_refund(service: Service, connection: Connection) -> str | None:
    """L1: for every ended session, in its row and in the ledger."""
    ended = (
        connection.execute(select(session).where(session.c.state.in_(("closed", "expired"))))
        .mappings()
        .all()
    )
    for row in ended:
        paid = row["charge_micros"] + row["refund_micros"]
        if paid != row["deposit_micros"]:
            return f"{row['session_id']}: deposit {row['deposit_micros']}, paid {paid}"
        moved: Counter[str] = Counter()
        for one in service.book.transfers_of(connection, row["session_id"]):
            moved[one.transfer.code] += one.transfer.amount
        booked = (moved["charge"], moved["hold"])
        if booked != (row["charge_micros"], row["deposit_micros"]):
            return f"{row['session_id']}: ledger has charge and hold {booked}"
        # A refund that the token would not deliver is free money; then nothing left.
        if moved["refund"] not in {0, row["refund_micros"]}:
            return f"{row['session_id']}: ledger has refund {moved['refund']}"
    return None


def intervals_are_zero_sum(_service: Service, connection: Connection) -> str | None:
    """L2: every line has both its ends, and each run's ledger transfers carry the same money."""
    rows = connection.execute(
        select(line).where(
            (line.c.payer == line.c.payee)
            | (line.c.amount_micros < 0)
            # Only a correction, which says who takes it, gives energy back.
            | ((line.c.energy_wh < 0) & line.c.taker.is_(None))
            | line.c.rail.not_in(("chain", "invoice"))
        )
    ).first()
    if rows is not None:
        return f"run {rows.run}, line {rows.position} has no two ends or a negative amount"
    sums = connection.execute(
        select(line.c.run, func.sum(line.c.amount_micros)).group_by(line.c.run)
    )
    lines = {number: int(micros) for number, micros in sums}
    for number, posted in ledger_sums(_service, connection).items():
        if lines.get(number, 0) != posted:
            return f"run {number}: lines {lines.get(number, 0)}, ledger {posted} micros"
    return None


def energy_is_counted_once(service: Service, connection: Connection) -> str | None:
    """L3: losses in bounds, member accounts empty, sessions equal slices, certified once."""
    bad = connection.execute(
        select(run.c.interval, func.sum(run.c.losses_wh))
        .group_by(run.c.interval)
        .having(func.sum(run.c.losses_wh) < 0)
        .limit(1)
    ).first()
    if bad is not None:
        return f"interval {bad[0]}: {bad[1]} Wh of losses"
    for balance in service.book.balances(connection, "wh/member/"):
        if balance.posted:
            return f"{balance.account} holds {balance.posted} Wh after all intervals"
    closed = connection.execute(
        select(session.c.session_id, session.c.energy_wh, func.sum(slice_.c.energy_wh))
        .join(slice_, slice_.c.session_id == session.c.session_id, isouter=True)
        .where(session.c.state == "closed")
        .group_by(session.c.session_id, session.c.energy_wh)
    )
    for identity, energy, sliced in closed:
        if energy != (sliced or 0):
            return f"{identity}: billed {energy} Wh, fiscal records say {sliced}"
    return certified_once(connection)


def ledger_equals_chain(service: Service, connection: Connection) -> str | None:
    """L8: each contract field equals its ledger account at the same final block."""
    height = service.indexer.final_height(connection)
    breaks = reconcile(service.gateway, expectations(service, connection), block=height)
    return str(breaks[0]) if breaks else None


def _settlement_laws(service: Service, connection: Connection) -> dict[str, str | None]:
    """L9, L10: runs and statements come out again from what was signed, and the triggers stand."""
    findings = recompute(service, connection)
    wanted = guards_of(connection.dialect.name, (*IMMUTABLE, *LEDGER_IMMUTABLE))
    gone = sorted(wanted - guards(connection))
    missing = f"the guard {gone[0][1]} of {gone[0][0]} is gone" if gone else None
    astray = missing or findings.difference or first_astray(service, connection)
    return {"L9": findings.limit_broken, "L10": astray}


def replays_change_nothing(service: Service) -> str | None:
    """L6: messages sent again get the first answer, and the log stays as it is."""
    with service.writing() as connection:
        before = service.book.root(connection)
        rows = (
            connection.execute(select(inbox).order_by(inbox.c.at_s).limit(_REPLAYED_MESSAGES))
            .mappings()
            .all()
        )
        for row in rows:
            message = Message(row["key"], row["kind"], row["source"], row["body"], "")
            verdict = take(
                connection, service.book, message, at_s=service.clock.now_s(), judge=dict
            )
            if isinstance(verdict, Exception) or not verdict.replayed:
                return f"{row['key']} was not recognized"
        readings = stored_readings(connection, _REPLAYED_MESSAGES)
        for signed, answer in zip(
            readings, take_readings(service, connection, readings), strict=True
        ):
            if answer.status != "replayed":
                return f"reading {key_of(signed.reading)} was not recognized"
        astray = first_head_astray(connection)
        if astray is not None:
            return f"the newest reading of {astray} is not the one that is noted"
        after = service.book.root(connection)
    return None if before == after else f"the log moved from {before} to {after}"


def _ledger_laws(service: Service, connection: Connection) -> dict[str, str | None]:
    """L4, L5, L7: replay the journal from its first entry; every checkpoint grows into it."""
    report = service.book.replay(connection)
    broken = report.log or first_inconsistent(service, connection)
    return {"L4": report.balances, "L5": report.holds, "L7": broken}


_CHECKS: Final[Mapping[str, Check]] = {
    "L1": deposit_is_charge_plus_refund,
    "L2": intervals_are_zero_sum,
    "L3": energy_is_counted_once,
    "L8": ledger_equals_chain,
}
