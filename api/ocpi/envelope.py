"""Answer as OCPI does: everything in one envelope, lists in pages (OCPI 2.2.1, transport)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import Query, Request, Response

from ledger.clock import Clock
from ledger.errors import InvalidRequest, VoisinError
from ledger.units import UnixSeconds
from settlement.charging.documents.exact import exact_json, instant
from settlement.engine.charging.documents.listing import Page, Wanted

MEDIA_TYPE: Final = "application/json"
LIMIT_MAX: Final = 100
"""Most objects in a page."""
SUCCESS: Final = 1_000
"""OCPI's code of success."""
CLIENT_ERROR: Final = 2_000
"""OCPI's code of a request that cannot be answered."""
_ECHOED: Final = ("x-request-id", "x-correlation-id")
_OFFSET_MAX: Final = 2**62
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)


class BadDateError(InvalidRequest):
    """A date that OCPI does not write."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__("bad_date", f"{name} {text!r} is no RFC 3339 instant")


def answer(
    request: Request, clock: Clock, data: str | None, *, headers: dict[str, str] | None = None
) -> Response:
    """Return ``data``, which is JSON already, in the envelope of a success."""
    return _enveloped(request, clock, data, (SUCCESS, "Success"), 200, headers or {})


def refused(request: Request, clock: Clock, fault: VoisinError, status: int) -> Response:
    """Return why a request is refused, in the envelope."""
    told = CLIENT_ERROR, f"{fault.code}: {fault}"
    return _enveloped(request, clock, None, told, status, {})


def wanted(
    offset: Annotated[int, Query(ge=0, le=_OFFSET_MAX)] = 0,
    limit: Annotated[int, Query(ge=1)] = LIMIT_MAX,
    date_from: str | None = None,
    date_to: str | None = None,
) -> Wanted:
    """Return which page is asked for; no page holds more than a hundred objects."""
    return Wanted(
        offset=offset,
        limit=min(limit, LIMIT_MAX),
        from_s=_instant("date_from", date_from),
        until_s=_instant("date_to", date_to),
    )


def page(request: Request, clock: Clock, asked: Wanted, found: Page) -> Response:
    """Return part of a list, with its length and the address of the part that follows."""
    headers = {"X-Total-Count": str(found.total), "X-Limit": str(LIMIT_MAX)}
    following = asked.offset + len(found.bodies)
    if found.bodies and following < found.total:
        url = request.url.include_query_params(offset=following, limit=asked.limit)
        headers["Link"] = f'<{url}>; rel="next"'
    return answer(request, clock, _array(found.bodies), headers=headers)


def _array(bodies: Sequence[object]) -> str:
    parts = (one if isinstance(one, str) else exact_json(one) for one in bodies)
    return "[" + ",".join(parts) + "]"


def _enveloped(
    request: Request,
    clock: Clock,
    data: str | None,
    told: tuple[int, str],
    status: int,
    headers: dict[str, str],
) -> Response:
    code, message = told
    inside = "" if data is None else f'"data":{data},'
    rest = exact_json(
        {"status_code": code, "status_message": message, "timestamp": instant(clock.now_s())}
    )
    echoed = {name: request.headers[name] for name in _ECHOED if name in request.headers}
    content = "{" + inside + rest.removeprefix("{")
    return Response(content, status, headers | echoed, media_type=MEDIA_TYPE)


def _instant(name: str, text: str | None) -> UnixSeconds | None:
    """Return an instant that a party wrote; without a zone it is UTC (OCPI, DateTime)."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as fault:
        raise BadDateError(name, text) from fault
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    # What changed carries whole seconds, so nothing lies between an instant and the next of them.
    return UnixSeconds(-((_EPOCH - aware) // _SECOND))
