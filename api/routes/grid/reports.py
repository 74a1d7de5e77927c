"""What the grid operator is told: totals of zones, coefficients of metering points."""

from collections.abc import Iterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from api.dependencies import Context, context
from api.documents.grid_tables import (
    ALLOCATION,
    PARQUET_TYPE,
    TOTALS,
    csv_parts,
    json_rows,
    parquet_parts,
)
from api.documents.sheets import CSV_TYPE
from ledger.units import UnixSeconds
from settlement.engine.grid.coefficients import Allocation, allocations
from settlement.engine.grid.totals import Span, ZoneTotal, span_of, zone_totals

router = APIRouter(prefix="/api/grid", tags=["grid operator"])
Here = Annotated[Context, Depends(context)]

_INSTANT_MAX_S: Final = 2**40
Instant = Annotated[int, Query(ge=0, le=_INSTANT_MAX_S, description="Unix seconds.")]


def asked(here: Here, from_s: Instant, until_s: Instant) -> Span:
    """Return the intervals that begin in ``[from_s, until_s)``."""
    return span_of(here.service.rules, UnixSeconds(from_s), UnixSeconds(until_s))


Asked = Annotated[Span, Depends(asked)]


@router.get("/totals")
def totals(here: Here, span: Asked) -> dict[str, Any]:
    """Return what every zone did in every settled interval; energy in Wh, prices in micros."""
    return {"totals": json_rows(TOTALS, _totals(here, span))}


@router.get("/totals.csv", response_class=StreamingResponse)
def totals_csv(here: Here, span: Asked) -> StreamingResponse:
    """Return the same as CSV."""
    return StreamingResponse(
        csv_parts(TOTALS, _totals(here, span)),
        media_type=CSV_TYPE,
        headers=_named("totals.csv"),
    )


@router.get("/allocation.csv", response_class=StreamingResponse)
def allocation_csv(here: Here, span: Asked) -> StreamingResponse:
    """Return what the community shared at every metering point, with coefficients."""
    return StreamingResponse(
        csv_parts(ALLOCATION, _allocations(here, span)),
        media_type=CSV_TYPE,
        headers=_named("allocation.csv"),
    )


@router.get("/allocation.parquet", response_class=StreamingResponse)
def allocation_parquet(here: Here, span: Asked) -> StreamingResponse:
    """Return the same as Parquet, coefficients as decimals."""
    return StreamingResponse(
        parquet_parts(ALLOCATION, _allocations(here, span)),
        media_type=PARQUET_TYPE,
        headers=_named("allocation.parquet"),
    )


def _totals(here: Context, span: Span) -> Iterator[ZoneTotal]:
    service = here.service
    root = service.rules.tree.root.name
    with service.reading() as connection:
        yield from zone_totals(connection, service.rules, root, span)


def _allocations(here: Context, span: Span) -> Iterator[Allocation]:
    with here.service.reading() as connection:
        yield from allocations(connection, here.service.rules, span)


def _named(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
