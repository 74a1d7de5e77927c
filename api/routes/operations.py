"""What an operator looks at: open breaks, and how the service started and fares, for Prometheus."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from fastapi.responses import PlainTextResponse

from api.dependencies import Context, context
from ledger.units import UnixSeconds
from settlement.audit.reconciliation.breaks import Break, open_breaks
from settlement.audit.reconciliation.equations import Equation
from settlement.audit.reconciliation.reconciler import Report

router = APIRouter(tags=["operations"])
Here = Annotated[Context, Depends(context)]

_NS_PER_S: Final = 10**9
_TEXT_FORMAT: Final = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/reconciliation")
def reconciliation(here: Here) -> dict[str, Any]:
    """Return the last pass, and every open break by equation with id, owner and age."""
    with here.service.reading() as connection:
        standing = open_breaks(connection)
    return _document(here.reconciler.report, standing, here.service.clock.now_s())


@router.post("/reconciliation")
async def reconcile(here: Here) -> dict[str, Any]:
    """Compare everything that is stored, now, and return what ``GET`` returns."""
    report = await here.desk.run(here.reconciler.everything)
    return _document(report, report.breaks, here.service.clock.now_s())


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(here: Here) -> PlainTextResponse:
    """Return steps of the restart and figures of the reconciliation (Prometheus text format)."""
    with here.service.reading() as connection:
        standing = open_breaks(connection)
    lines = [*_restart_lines(here), *_reconciliation_lines(here, standing)]
    return PlainTextResponse("\n".join(lines) + "\n", media_type=_TEXT_FORMAT)


def _document(
    report: Report | None, standing: tuple[Break, ...], now_s: UnixSeconds
) -> dict[str, Any]:
    checked: Mapping[Equation, int] = report.checked if report else {}
    return {
        "at_s": report.at_s if report else None,
        "block": report.height if report else None,
        "whole": report.whole if report else None,
        "open": len(standing),
        "equations": {
            equation.value: {
                "checked": checked.get(equation, 0),
                "breaks": [_one(one, now_s) for one in standing if one.equation is equation],
            }
            for equation in Equation
        },
    }


def _one(one: Break, now_s: UnixSeconds) -> dict[str, Any]:
    return {
        "id": one.id,
        "subject": one.subject,
        "owner": one.owner,
        "ledger": one.ledger,
        "other": one.other,
        "detail": one.detail,
        "found_block": one.found_block,
        "found_at_s": one.found_at_s,
        "age_s": one.age_s(now_s),
    }


def _restart_lines(here: Context) -> Iterator[str]:
    yield "# HELP voisin_restart_step_seconds Wall time of each step of the last restart."
    yield "# TYPE voisin_restart_step_seconds gauge"
    for step in here.restart.steps:
        labels = _labels(step=step.name, outcome=step.outcome)
        yield f"voisin_restart_step_seconds{labels} {_seconds(step.duration_ns)}"
    yield "# HELP voisin_writes_open Whether the restart opened writes."
    yield "# TYPE voisin_writes_open gauge"
    yield f"voisin_writes_open {int(here.restart.closed_by is None)}"


def _reconciliation_lines(here: Context, standing: tuple[Break, ...]) -> Iterator[str]:
    report = here.reconciler.report
    if report is not None:
        yield "# HELP voisin_reconciliation_pass_seconds Wall time of the last pass."
        yield "# TYPE voisin_reconciliation_pass_seconds gauge"
        yield f"voisin_reconciliation_pass_seconds {_seconds(report.duration_ns)}"
        yield "# HELP voisin_reconciliation_block Final block of the last pass."
        yield "# TYPE voisin_reconciliation_block gauge"
        yield f"voisin_reconciliation_block {report.height}"
        yield "# HELP voisin_reconciliation_checked Comparisons of the last pass."
        yield "# TYPE voisin_reconciliation_checked gauge"
        for equation in Equation:
            labels = _labels(equation=equation.value)
            yield f"voisin_reconciliation_checked{labels} {report.checked.get(equation, 0)}"
    yield "# HELP voisin_reconciliation_open_breaks Breaks that last."
    yield "# TYPE voisin_reconciliation_open_breaks gauge"
    for equation in Equation:
        count = sum(one.equation is equation for one in standing)
        yield f"voisin_reconciliation_open_breaks{_labels(equation=equation.value)} {count}"
    now_s = here.service.clock.now_s()
    oldest_s = max((one.age_s(now_s) for one in standing), default=0)
    yield "# HELP voisin_reconciliation_oldest_break_seconds Age of the oldest break that lasts."
    yield "# TYPE voisin_reconciliation_oldest_break_seconds gauge"
    yield f"voisin_reconciliation_oldest_break_seconds {oldest_s}"


def _labels(**labels: str) -> str:
    """Return labels as the format writes them; values are names and codes, nothing to escape."""
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


def _seconds(duration_ns: int) -> str:
    whole, rest = divmod(duration_ns, _NS_PER_S)
    return f"{whole}.{rest:09}"
