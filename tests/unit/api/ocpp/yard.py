"""Stations of any version at an endpoint whose engine is a fake that keeps what it is told."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager
from itertools import count

from sqlalchemy import select
from websockets.asyncio.client import connect

from api.ocpp.frames import Version
from ledger.clock import ReplayClock
from ledger.errors import NotPermitted, Unavailable
from scripts.benchmarks.charging.endpoint import admit, bare_service, endpoint
from settlement.charging.reports import Admission, Answer, Phase
from settlement.engine.charging import transactions
from settlement.tables import frame, refusal

NOW_S = 1_700_000_000
NOW = "2023-11-14T22:13:20Z"
TAG = "0123456789ABCDEF0123"
PASSWORD = "a-password-of-characters"  # noqa: S105 - a test's own
STATIONS = ("CA-1", "CA-2")
SUBPROTOCOLS = {Version.V16: "ocpp1.6", Version.V201: "ocpp2.0.1", Version.V21: "ocpp2.1"}


class FakeEngine:
    """Accepts one idTag, and answers as it is told to."""

    def __init__(self):
        self.reports, self.asked = [], []
        self.total, self.limit, self.fault = None, None, None
        self.numbers = count(7)

    def authorize(self, _service, *, station_id, id_tag):
        self.asked.append((station_id, id_tag))
        if self.fault is not None:
            raise self.fault
        return Admission(accepted=id_tag == TAG, max_cost_micros=self.limit)

    def connector_freed(self, _service, *, station_id, evse_id, at_s):
        self.reports.append((station_id, evse_id, at_s))

    def report(self, _service, told, *, elapsed_ns):
        assert elapsed_ns() > 0
        self.reports.append(told)
        if self.fault is not None:
            raise self.fault
        if told.phase is Phase.STARTED and told.id_tag not in {TAG, None}:
            raise NotPermitted("no_deposit", "no deposit")
        transaction = told.transaction or str(next(self.numbers))
        return Answer(
            accepted=True,
            transaction=transaction,
            max_cost_micros=self.limit,
            total_cost_micros=self.total,
        )


def unavailable():
    return Unavailable("database_gone", "the database is gone", transient=True)


class Caller:
    """A station's end of a connection, for one that says exactly what it is told to."""

    def __init__(self, socket):
        self.socket = socket
        self._ids = count(1)

    async def raw(self, text):
        await self.socket.send(text)
        return json.loads(await asyncio.wait_for(self.socket.recv(), 10))

    async def call(self, action, payload):
        message_id = f"m{next(self._ids)}"
        answer = await self.raw(json.dumps([2, message_id, action, payload]))
        assert answer[:2] == [3, message_id], answer
        return answer[2]

    async def refused(self, action, payload):
        message_id = f"m{next(self._ids)}"
        answer = await self.raw(json.dumps([2, message_id, action, payload]))
        assert answer[:2] == [4, message_id], answer
        return answer[2]

    async def heard(self):
        """Return the next request of the service."""
        kind, message_id, action, payload = json.loads(
            await asyncio.wait_for(self.socket.recv(), 10)
        )
        assert kind == 2
        return message_id, action, payload

    async def answers(self, message_id, payload):
        await self.socket.send(json.dumps([3, message_id, payload]))


class Yard:
    """The endpoint, its engine, and what it keeps."""

    def __init__(self, opened, engine):
        self.endpoint, self.engine = opened, engine

    @property
    def switchboard(self):
        return self.endpoint.switchboard

    @asynccontextmanager
    async def station(self, version, station_id="CA-1", **options):
        url = f"{self.endpoint.url}/{station_id}"
        headers = {"Authorization": basic(station_id, PASSWORD)}
        async with connect(
            url, subprotocols=[SUBPROTOCOLS[version]], additional_headers=headers, **options
        ) as socket:
            yield Caller(socket)

    async def idle(self):
        await self.endpoint.desk.idle()

    def frames(self):
        return self._rows(select(frame.c.body).order_by(frame.c.seq))

    def quarantined(self):
        rows = self._rows(select(refusal.c.code, refusal.c.body).order_by(refusal.c.seq))
        return [tuple(row) for row in rows]

    def codes(self):
        return [code for code, _ in self.quarantined()]

    def _rows(self, query):
        with self.endpoint.service.reading() as connection:
            found = connection.execute(query).all()
        return [row[0] if len(row) == 1 else row for row in found]


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@asynccontextmanager
async def yard(directory, monkeypatch, **options):
    engine = FakeEngine()
    monkeypatch.setattr(transactions, "authorize", engine.authorize)
    monkeypatch.setattr(transactions, "report", engine.report)
    monkeypatch.setattr(transactions, "connector_freed", engine.connector_freed)
    service = bare_service(directory, ReplayClock(NOW_S))
    admit(service, [(one, PASSWORD) for one in STATIONS])
    async with endpoint(service, **options) as opened:
        yield Yard(opened, engine)
