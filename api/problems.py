"""Answer errors as RFC 9457 problem details; the one place that knows HTTP status codes."""

from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from ledger.errors import (
    ChainError,
    ChainUnavailable,
    Conflict,
    InsufficientFunds,
    Integrity,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    TooLarge,
    Unavailable,
    UnverifiedReading,
    VoisinError,
)

STATUS: Final = {
    TooLarge: 413,
    InvalidRequest: 422,
    NotAuthenticated: 401,
    NotPermitted: 403,
    NotFound: 404,
    Conflict: 409,
    InsufficientFunds: 409,
    UnverifiedReading: 422,
    ChainUnavailable: 503,
    ChainError: 502,
    Unavailable: 503,
    Integrity: 500,
}
"""HTTP status of each family; a subfamily stands before its parent."""
_MEDIA_TYPE: Final = "application/problem+json"


def status_of(fault: VoisinError) -> int:
    """Return the HTTP status of an error's family."""
    return next((status for family, status in STATUS.items() if isinstance(fault, family)), 409)


def problem(fault: VoisinError) -> JSONResponse:
    """Return the problem document of ``fault`` (RFC 9457)."""
    status = status_of(fault)
    body = {
        "type": f"urn:voisin:error:{fault.code}",
        "title": fault.code.replace("_", " "),
        "status": status,
        "detail": str(fault),
        "code": fault.code,
        "transient": fault.transient,
    }
    headers = {"Retry-After": "1"} if fault.transient else None
    return JSONResponse(body, status_code=status, headers=headers, media_type=_MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make ``app`` answer every error of the system, and malformed requests, as problems."""

    @app.exception_handler(VoisinError)
    async def _refused(_request: Request, fault: VoisinError) -> JSONResponse:
        return problem(fault)

    @app.exception_handler(RequestValidationError)
    async def _malformed(_request: Request, fault: RequestValidationError) -> JSONResponse:
        where = "; ".join(
            f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"
            for error in fault.errors()
        )
        return problem(InvalidRequest("malformed_request", where))
