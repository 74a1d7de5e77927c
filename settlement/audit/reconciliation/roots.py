"""Compare recomputed roots with those that the chain holds: E8."""

from collections.abc import Iterator

from sqlalchemy import Connection, RowMapping, select

from ledger.tables import checkpoint
from settlement.audit.reconciliation.equations import Comparison, Equation, Owner
from settlement.audit.reconciliation.scope import Scope, run_trace
from settlement.engine.service import Service
from settlement.trading.tree import merkle_root


def of_run(
    service: Service, scope: Scope, row: RowMapping, recomputed: bytes
) -> Iterator[Comparison]:
    """E8: the run settled again from signed inputs, as stored and as anchored: one root."""
    trace_id = run_trace(service, row)
    stored, again = ("0x" + one.hex() for one in (row["root"], recomputed))
    yield Comparison(Equation.ROOTS, trace_id, again, stored, Owner.SERVICE, "recomputed, stored")
    number = scope.taken_in.get(row["run"])
    if number is not None:
        anchored = f"{trace_id}/anchored"
        taken = scope.chain_runs[number]
        roots = [recomputed if one["run"] == row["run"] else one["root"] for one in taken]
        whole = "0x" + merkle_root(roots).hex()
        said = scope.told[number].arguments["root"]
        yield Comparison(Equation.ROOTS, anchored, whole, said, Owner.SERVICE, "recomputed, told")


def of_newest(service: Service, scope: Scope) -> Iterator[Comparison]:
    """E8: the contract holds the root that its newest event told."""
    if not scope.told:
        return
    number, event = max(scope.told.items())
    trade = service.contracts.trade
    asked = ((trade.address, trade.encode("rootOf", number)),)
    [answer] = service.gateway.calls_at(scope.height, asked)
    yield Comparison(
        Equation.ROOTS,
        f"{service.rules.community_id}/{event.arguments['interval']}/{number}/rootOf",
        event.arguments["root"],
        trade.decode_result("rootOf", answer)[0],
        Owner.CHAIN_OPERATOR,
        "told by the event, held by the contract",
    )


def of_checkpoints(connection: Connection, scope: Scope) -> Iterator[Comparison]:
    """E8: each checkpoint that the chain anchored has the root that we signed."""
    anchored = {
        int(one.arguments["size"]): one.arguments["root"]
        for one in scope.events
        if one.name == "CheckpointAnchored"
    }
    if not anchored:
        return
    kept = {
        row.size: "0x" + row.root.hex()
        for row in connection.execute(
            select(checkpoint.c.size, checkpoint.c.root).where(checkpoint.c.size.in_(anchored))
        )
    }
    for size, root in anchored.items():
        yield Comparison(
            Equation.ROOTS,
            f"log/{size}",
            kept.get(size, "no checkpoint"),
            root,
            Owner.SERVICE,
            "signed, anchored",
        )
