"""Tables of sessions that have ended, for spreadsheets."""

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from api.dependencies import Context, context
from api.documents.sheets import CSV_TYPE, XLSX_TYPE, csv_lines, xlsx_parts
from ledger.units import UnixSeconds
from settlement.charging.documents.facts import SessionFacts
from settlement.engine.charging.documents.listing import Filter, table_of

router = APIRouter(tags=["after a session"])
Here = Annotated[Context, Depends(context)]
Language = Annotated[Literal["en", "fr"], Query(description="Language of the headings.")]

_INT64_MAX: Final = 2**63 - 1
Instant = Annotated[int | None, Query(ge=0, le=_INT64_MAX)]


def asked(
    from_s: Instant = None,
    until_s: Instant = None,
    station: Annotated[str | None, Query(max_length=48)] = None,
    driver: Annotated[str | None, Query(pattern="^0x[0-9a-fA-F]{40}$")] = None,
) -> Filter:
    """Return which sessions are asked for: opened in ``[from_s, until_s)``, there, by them."""
    return Filter(
        from_s=None if from_s is None else UnixSeconds(from_s),
        until_s=None if until_s is None else UnixSeconds(until_s),
        station_id=station,
        driver=driver,
    )


Asked = Annotated[Filter, Depends(asked)]


@router.get("/api/sessions.csv", response_class=StreamingResponse)
def sessions_csv(here: Here, wanted: Asked, lang: Language = "en") -> StreamingResponse:
    """Return the sessions as CSV, amounts as exact decimals."""
    return StreamingResponse(
        csv_lines(_rows(here, wanted), lang), media_type=CSV_TYPE, headers=_named("csv")
    )


@router.get("/api/sessions.xlsx", response_class=StreamingResponse)
def sessions_xlsx(here: Here, wanted: Asked, lang: Language = "en") -> StreamingResponse:
    """Return the sessions as a workbook."""
    return StreamingResponse(
        xlsx_parts(_rows(here, wanted), lang), media_type=XLSX_TYPE, headers=_named("xlsx")
    )


def _rows(here: Context, wanted: Filter) -> Iterator[SessionFacts]:
    with here.service.reading() as connection:
        yield from table_of(here.service, connection, wanted)


def _named(ending: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="sessions.{ending}"'}
