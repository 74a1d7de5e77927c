"""What an endpoint needs: the service, its desk, and what the outside may see of both."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from starlette.requests import HTTPConnection

from api.desk import Desk
from api.live.board import Board
from api.live.glance import Glance
from api.ocpp.switchboard import Switchboard
from ledger.store.writer import Writer
from settlement.audit.reconciliation.breaks import open_breaks
from settlement.audit.reconciliation.reconciler import Reconciler
from settlement.charging.documents.issuer import Issuer
from settlement.engine.restart.protocol import Restart
from settlement.engine.service import Service
from settlement.engine.view.overview import overview
from settlement.engine.view.tally import Tally
from settlement.engine.view.tracing import trace

Status = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Context:
    """The running service, as endpoints see it."""

    service: Service
    """Every use case takes it."""
    desk: Desk
    """Where everything that writes waits its turn."""
    writer: Writer
    """Where whatever needs no turn at the desk is written, many in a commit."""
    status: Status
    """What the composition root adds to the overview: state, clock, laws."""
    restart: Restart = field(default_factory=Restart)
    """How the service started."""
    stations: Switchboard = field(default_factory=Switchboard)
    """Where connected stations are asked to do something."""
    readings_came: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when readings were taken, so that an interval need not wait for the next pulse."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server is about to stop, so that streams end."""
    issuer: Issuer = field(default_factory=Issuer)
    """Who issues charge detail records, and where others reach the service."""
    private_addresses: bool = False
    """Whether subscribers may be on private addresses, which only local users may ask for."""
    board: Board = field(init=False)
    """Live figures of the sessions that charge or are watched."""
    glance: Glance = field(init=False)
    """The overview for those who watch it."""
    tally: Tally = field(init=False, default_factory=Tally)
    """Sums of what was settled so far."""
    reconciler: Reconciler = field(init=False)
    """Compares books, meters and chain after every work at the desk."""

    def __post_init__(self) -> None:
        """Let a reconciler follow every work at the desk, which takes none after a bad start."""
        object.__setattr__(self, "board", Board(self.service))
        object.__setattr__(self, "glance", Glance(self.overview))
        self.desk.listen(self.board.written)
        reconciler = Reconciler(self.service)
        object.__setattr__(self, "reconciler", reconciler)
        if self.restart.closed_by is None:
            self.desk.follow_with(reconciler.after)
        else:
            self.desk.close_writes(self.restart.closed_by)

    def overview(self) -> dict[str, Any]:
        """Return how the community stands now."""
        with self.service.reading() as connection:
            found = overview(self.service, connection, self.tally)
            standing = len(open_breaks(connection))
        report = self.reconciler.report
        reconciled = {"open": standing, "block": report.height if report else None}
        return {**found, "reconciliation": reconciled, **self.status()}

    def trace(self, trace_id: str) -> dict[str, Any]:
        """Return every step that carries ``trace_id``."""
        with self.service.reading() as connection:
            return trace(connection, self.service.book, trace_id)


def context(connection: HTTPConnection) -> Context:
    """Return the context that ``create_app`` put on the application."""
    return cast("Context", connection.app.state.context)
