"""Put the web application together."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, FastAPI

from api import problems
from api.dependencies import Context
from api.limits import BodyLimit
from api.ocpi import credentials, endpoints
from api.ocpp.endpoint import stations_route
from api.routes import (
    certificates,
    community,
    live,
    log,
    members,
    operations,
    payments,
    quarantine,
    readings,
    sessions,
    wallets,
)
from api.routes.documents import exports, receipts, roaming, webhooks
from api.routes.grid import participation
from api.routes.grid import reports as grid_reports
from api.routes.grid import rules as zone_rules
from api.routes.market import explanations, orders, statements
from api.web.driver import Counter, driver_router
from api.web.pages import mount_static, pages_router
from settlement.engine.live.street import outlet, outlets
from settlement.engine.origin.sessions import roofs_in
from settlement.engine.view.overview import community_view

_MONEY: Final = ("Energy Euro", "1")
"""Name and version of the settlement token, as its authorizations are signed (ERC-3009)."""
_OFFERS: Final = {
    "/api/faucet": "gift",
    "/api/sessions/{session_id}/receipt.pdf": "receipts",
    "/api/sessions/{session_id}/top-ups": "top_ups",
}
"""What the drivers' pages link to if it is served."""
_DESCRIPTION: Final = (
    "Neighbours sell each other rooftop solar; drivers pay what the meter signed. Money is in "
    "micros (millionths of a euro, decimal strings), energy in Wh, instants in Unix seconds."
)


def create_app(context: Context, *more: APIRouter) -> FastAPI:
    """Return the application that serves ``context``, and what else a composition root adds."""
    # The usual documentation pages load their scripts from elsewhere; /openapi.json is ours.
    app = FastAPI(
        title="Voisin", version="0.1.0", description=_DESCRIPTION, docs_url=None, redoc_url=None
    )
    app.state.context = context
    problems.install(app)
    app.add_middleware(BodyLimit)
    for one in (
        community,
        live,
        log,
        members,
        operations,
        payments,
        quarantine,
        readings,
        sessions,
        wallets,
    ):
        app.include_router(one.router)
    for one in (
        orders,
        explanations,
        statements,
        receipts,
        exports,
        webhooks,
        roaming,
        endpoints,
        credentials,
    ):
        app.include_router(one.router)
    for one in (zone_rules, grid_reports, participation, certificates):
        app.include_router(one.router)
    for router in more:
        app.include_router(router)
    stations = stations_route(
        context.service,
        context.desk,
        context.writer,
        context.stations,
        note=context.board.note,
    )
    app.router.routes.append(stations)
    app.include_router(
        pages_router(context.overview, context.trace, community_view(context.service.rules))
    )
    app.include_router(driver_router(_counter(context, _offers(app))))
    mount_static(app)
    return app


def _offers(app: FastAPI) -> frozenset[str]:
    paths = app.openapi()["paths"]
    return frozenset(name for path, name in _OFFERS.items() if path in paths)


def _counter(context: Context, offers: frozenset[str]) -> Counter:
    """Return what the drivers' pages ask for."""
    service = context.service

    async def session(session_id: str) -> Mapping[str, Any]:
        return (await context.board.track(session_id)).view()

    return Counter(
        community=community_view(service.rules),
        outlets=lambda: outlets(service),
        outlet=lambda station_id: outlet(service, station_id),
        connected=lambda: context.stations.connected,
        session=session,
        places={
            "chain_id": service.identity.chain_id,
            "token": service.contracts.token.address.lower(),
            "token_name": _MONEY[0],
            "token_version": _MONEY[1],
            "vault": service.contracts.vault.address.lower(),
        },
        offers=offers,
        roofs=partial(roofs_in, service),
    )
