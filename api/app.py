"""Put the web application together."""

from typing import Final

from fastapi import FastAPI

from api import problems
from api.dependencies import Context
from api.limits import BodyLimit
from api.ocpi import credentials, endpoints
from api.ocpp.endpoint import stations_route
from api.routes import (
    community,
    exports,
    log,
    members,
    operations,
    payments,
    quarantine,
    readings,
    receipts,
    roaming,
    sessions,
    webhooks,
)
from api.web.pages import mount_static, pages_router

_DESCRIPTION: Final = (
    "Neighbours sell each other rooftop solar; drivers pay what the meter signed. Money is in "
    "micros (millionths of a euro, decimal strings), energy in Wh, instants in Unix seconds."
)


def create_app(context: Context) -> FastAPI:
    """Return the application that serves ``context``."""
    # The usual documentation pages load their scripts from elsewhere; /openapi.json is ours.
    app = FastAPI(
        title="Voisin", version="0.1.0", description=_DESCRIPTION, docs_url=None, redoc_url=None
    )
    app.state.context = context
    problems.install(app)
    app.add_middleware(BodyLimit)
    for one in (community, log, members, operations, payments, quarantine, readings, sessions):
        app.include_router(one.router)
    for one in (receipts, exports, webhooks, roaming, endpoints, credentials):
        app.include_router(one.router)
    stations = stations_route(context.service, context.desk, context.writer, context.stations)
    app.router.routes.append(stations)
    app.include_router(pages_router(context.overview, context.trace))
    mount_static(app)
    return app
