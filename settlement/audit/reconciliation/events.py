"""Compare final events with transfers, one to one, both ways: E5."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from sqlalchemy import RowMapping

from settlement.audit.reconciliation.equations import Comparison, Equation, Owner
from settlement.audit.reconciliation.scope import Scope
from settlement.chain.indexer import FinalEvent

Claims = dict[str, int | None]
"""Transfers that an event stands for: amount by id, 0 for a void, None for one not to be made."""

_ABSENT: Final = "no transfer"
_UNCLAIMED: Final = "no event or run"


def one_to_one(scope: Scope) -> Iterator[Comparison]:
    """E5: every final event has its transfers, every transfer its event or run."""
    found = {row["id"]: row for row in scope.moved}
    claimed: set[str] = set()
    for event in scope.events:
        for identity, amount in _claims(scope, event).items():
            if amount is not None:
                claimed.add(identity)
                yield _of_claim(event, identity, amount, found)
    made = set(scope.run_traces.values())
    for identity, row in found.items():
        if identity in claimed or row["kind"] == "expire":
            continue  # what lets a hold go is the hold's own time
        if row["trace_id"] in made and row["pending_id"] is None:
            continue
        yield Comparison(
            Equation.EVENTS,
            identity,
            row["amount"],
            _UNCLAIMED,
            Owner.SERVICE,
            f"{row['code']} of {row['trace_id']}",
        )


def _of_claim(
    event: FinalEvent, identity: str, said: int, found: Mapping[str, RowMapping]
) -> Comparison:
    row = found.get(identity)
    booked: int | str = _ABSENT if row is None else row["amount"]
    where = f"{event.contract}.{event.name} in {event.transaction_hash}"
    return Comparison(Equation.EVENTS, identity, booked, said, Owner.SERVICE, where)


def _claims(scope: Scope, event: FinalEvent) -> Claims:
    """Return the transfers that an event stands for."""
    make = _CLAIMS.get((event.contract, event.name))
    return make(scope, event) if make else {}


def _settled(scope: Scope, event: FinalEvent) -> Claims:
    """Return the posts of every run that was taken: every hold of its own, whole."""
    taken = scope.chain_runs.get(int(event.arguments["run"]), ())
    traces = [scope.run_traces[row["run"]] for row in taken]
    return {
        f"{row['id']}/post": row["amount"]
        for trace_id in traces
        for row in scope.of(trace_id)
        if row["kind"] == "pending"
    }


def _amount(event: FinalEvent, name: str = "amountMicros") -> int:
    return int(event.arguments[name])


def _opened(_scope: Scope, event: FinalEvent) -> Claims:
    session_id, deposit = event.arguments["sessionId"], _amount(event, "depositMicros")
    paid_in = deposit if event.arguments["fromWallet"] else None
    return {f"{session_id}/hold": deposit, f"{session_id}/deposit": paid_in}


def _topped_up(_scope: Scope, event: FinalEvent) -> Claims:
    session_id, deposit = event.arguments["sessionId"], _amount(event, "depositMicros")
    paid_in = _amount(event) if event.arguments["fromWallet"] else None
    return {
        f"{session_id}/hold/{deposit}": _amount(event),
        f"{session_id}/deposit/{deposit}": paid_in,
    }


def _closed(scope: Scope, event: FinalEvent) -> Claims:
    body = event.arguments
    charge, refund = _amount(event, "chargeMicros"), _amount(event, "refundMicros")
    session_id = body["sessionId"]
    claims = _resolved(scope, session_id, charge)
    claims[f"{session_id}/refund"] = (refund or None) if body["pushed"] else None
    claims[f"{session_id}/earned"] = None if int(body["page"]) else charge or None
    ours = next((row for row in scope.sessions if row["session_id"] == session_id), None)
    if ours is not None:
        claims[f"{session_id}/session-vat"] = ours["vat_micros"] or None
        claims[f"{session_id}/session-energy"] = _amount(event, "energyWh") or None
        # An invoice below zero is a credit: the same transfer the other way.
        invoiced = 0 if ours["total_micros"] is None else ours["total_micros"] - charge
        claims[f"{session_id}/session-invoice"] = abs(invoiced) or None
        claims[f"{session_id}/session-invoice-vat"] = abs(ours["invoiced_vat_micros"]) or None
    return claims


def _expired(scope: Scope, event: FinalEvent) -> Claims:
    session_id: str = event.arguments["sessionId"]
    refund = (_amount(event, "refundMicros") or None) if event.arguments["pushed"] else None
    return {**_resolved(scope, session_id, 0), f"{session_id}/refund": refund}


def _resolved(scope: Scope, session_id: str, charge: int) -> Claims:
    """Return what ends the holds of a session: the charge taken from the oldest first."""
    holds = [row for row in scope.of(session_id) if row["kind"] == "pending"]
    claims: Claims = {}
    for position, hold in enumerate(holds):
        taken = min(charge, hold["amount"])
        charge -= taken
        claims[f"{session_id}/charge" + (f"/{position}" if position else "")] = taken
    return claims


def _by_place(name: str) -> Callable[[Scope, FinalEvent], Claims]:
    """Return claims of the one transfer that is named after the event's place in its block."""

    def claims(_scope: Scope, event: FinalEvent) -> Claims:
        return {f"{event.transaction_hash}/{event.log_index}": _amount(event, name) or None}

    return claims


def _by_code(code: str) -> Callable[[Scope, FinalEvent], Claims]:
    """Return claims of the one transfer that is named after what it is for."""

    def claims(_scope: Scope, event: FinalEvent) -> Claims:
        return {f"{event.transaction_hash}/{code}": _amount(event) or None}

    return claims


_CLAIMS: Final[Mapping[tuple[str, str], Callable[[Scope, FinalEvent], Claims]]] = {
    ("ChargeVault", "SessionOpened"): _opened,
    ("ChargeVault", "SessionToppedUp"): _topped_up,
    ("ChargeVault", "SessionClosed"): _closed,
    ("ChargeVault", "SessionExpired"): _expired,
    ("ChargeVault", "Deposited"): _by_place("amountMicros"),
    ("ChargeVault", "Withdrawn"): _by_place("amountMicros"),
    ("ChargeVault", "StationBound"): _by_place("earnedMicros"),
    ("ChargeVault", "EarningsCollected"): _by_place("amountMicros"),
    ("ChargeVault", "EarningsWithdrawn"): _by_place("amountMicros"),
    ("TradeLedger", "IntervalSettled"): _settled,
    ("TradeLedger", "Joined"): _by_code("trade-deposit"),
    ("TradeLedger", "Deposited"): _by_code("trade-deposit"),
    ("TradeLedger", "Exited"): _by_code("trade-exit"),
    ("TradeLedger", "BondPosted"): _by_code("trade-bond"),
    ("TradeLedger", "BondReleased"): _by_code("trade-bond-release"),
}
"""What each event stands for, said again, on its own: decision 0001 is the source of both."""
