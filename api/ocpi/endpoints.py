"""
OCPI 2.2.1 as a charge point operator offers it: which versions, which modules, and their lists.

Every request carries the token of a connected party, base64 behind ``Token`` (OCPI, transport).
"""

import base64
import binascii
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from api.delivery.deliverer import keep_all_records
from api.dependencies import Context, context
from api.ocpi.envelope import answer, page, refused, wanted
from api.problems import status_of
from ledger.errors import InvalidRequest, VoisinError
from settlement.charging.documents.exact import exact_json
from settlement.engine.charging.documents import listing
from settlement.engine.charging.documents.listing import Wanted
from settlement.engine.charging.documents.partners import (
    Partner,
    UnknownTokenError,
    partner_by_token,
)

VERSION: Final = "2.2.1"
"""The version of OCPI that is spoken."""
_BAD_REQUEST: Final = 400
_SCHEME: Final = "token "
_MODULES: Final = ("cdrs", "sessions", "tariffs")


class OcpiRoute(APIRoute):
    """Answers what it refuses in OCPI's envelope."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with its refusals put into envelopes."""
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            clock = context(request).service.clock
            try:
                return await inner(request)
            except RequestValidationError as fault:
                where = "; ".join(
                    f"{'.'.join(map(str, error['loc']))}: {error['msg']}"
                    for error in fault.errors()
                )
                malformed = InvalidRequest("malformed_request", where)
                return refused(request, clock, malformed, _BAD_REQUEST)
            except VoisinError as fault:
                status = _BAD_REQUEST if isinstance(fault, InvalidRequest) else status_of(fault)
                return refused(request, clock, fault, status)

        return handler


def partner(request: Request, here: Annotated[Context, Depends(context)]) -> Partner:
    """
    Return who asks.

    Raises
    ------
    UnknownTokenError
        If the request carries no token that is known.
    """
    scheme, token = request.headers.get("authorization", "")[:6], ""
    if scheme.lower() != _SCHEME:
        raise UnknownTokenError
    try:
        token = base64.b64decode(request.headers["authorization"][6:], validate=True).decode()
    except (ValueError, binascii.Error) as fault:
        raise UnknownTokenError from fault
    with here.service.reading() as connection:
        return partner_by_token(connection, token)


router = APIRouter(prefix="/ocpi", tags=["OCPI"], route_class=OcpiRoute)
Here = Annotated[Context, Depends(context)]
Known = Annotated[Partner, Depends(partner)]
Asked = Annotated[Wanted, Depends(wanted)]


@router.get("/versions", response_class=Response)
def versions(request: Request, here: Here, _known: Known) -> Response:
    """Return the versions of OCPI that are spoken."""
    spoken = [{"version": VERSION, "url": f"{here.issuer.public_url}/ocpi/{VERSION}"}]
    return answer(request, here.service.clock, exact_json(spoken))


@router.get(f"/{VERSION}", response_class=Response)
def details(request: Request, here: Here, _known: Known) -> Response:
    """Return the modules that are offered, and where."""
    base = f"{here.issuer.public_url}/ocpi"
    endpoints = [
        {
            "identifier": "credentials",
            "role": "SENDER",
            "url": f"{base}/{VERSION}/credentials",
        },
        *(
            {"identifier": name, "role": "SENDER", "url": f"{base}/cpo/{VERSION}/{name}"}
            for name in _MODULES
        ),
    ]
    document = {"version": VERSION, "endpoints": endpoints}
    return answer(request, here.service.clock, exact_json(document))


@router.get(f"/cpo/{VERSION}/cdrs", response_class=Response)
async def cdrs(request: Request, here: Here, _known: Known, asked: Asked) -> Response:
    """Return charge detail records in the order they were issued, credits among them."""
    await keep_all_records(here)
    with here.service.reading() as connection:
        found = listing.list_records(connection, asked)
    return page(request, here.service.clock, asked, found)


@router.get(f"/cpo/{VERSION}/sessions", response_class=Response)
def sessions(request: Request, here: Here, _known: Known, asked: Asked) -> Response:
    """Return sessions by when something last happened to them."""
    with here.service.reading() as connection:
        found = listing.list_sessions(here.service, connection, here.issuer, asked)
    return page(request, here.service.clock, asked, found)


@router.get(f"/cpo/{VERSION}/tariffs", response_class=Response)
def tariffs(request: Request, here: Here, _known: Known, asked: Asked) -> Response:
    """Return the tariff that holds, and those that sessions were opened under."""
    with here.service.reading() as connection:
        found = listing.list_tariffs(here.service, connection, here.issuer, asked)
    return page(request, here.service.clock, asked, found)
