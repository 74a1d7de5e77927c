"""
Stations that say what they like, straight to the engine; chain, database and deposits are real.

Each visit has a station, a meter and a driver of its own, so that none is undone by another.
"""

import asyncio
import contextlib
from dataclasses import replace

import httpx2
from sqlalchemy import select

from devnet.field.drivers import Driver, Wish
from devnet.field.keys import OPERATOR, Role, meter_key
from devnet.field.keys import Curve as Curves
from devnet.field.ocmf import ocmf_instant
from ledger.errors import VoisinError
from ledger.units import UnixSeconds, WattHours, Watts
from scripts import neighbourhood
from settlement.charging.reports import Phase, TransactionReport
from settlement.engine.charging import transactions
from settlement.engine.community import Party, Roster, Station
from settlement.engine.roll import apply_roster
from settlement.tables import event, refusal, session, slice_
from tests.contracts.support import record_text
from tests.integration.community import SEED, community

PASSWORD = "0123456789abcdef"  # noqa: S105 - of stations that nobody connects
RATED_W = Watts(22_000)
REGISTER_WH = WattHours(1_000_000)
HOUR_S = 3_600


class Forecourt:
    """Stations that have not charged yet, drivers who have not paid yet, and the service."""

    def __init__(self, runner, here, client):
        self.runner, self.here, self.client = runner, here, client
        self.built = 0
        self.drivers = iter(here.world.keys.drivers.values())

    @property
    def service(self):
        return self.here.service

    @property
    def now_s(self):
        return self.here.clock.now_s()

    def run(self, work):
        return self.runner.run(self.here.run(work))

    def pass_time(self, seconds):
        self.here.clock.set(UnixSeconds(self.now_s + seconds))

    def settle_waiting(self):
        return self.run(lambda: transactions.settle_waiting(self.service))

    def build(self, **changes):
        """Enrol a station and its meter; return its name and the meter's key."""
        self.built += 1
        name = f"forecourt-{self.built:03d}"
        curve = (Curves.SECP256K1, Curves.SECP256R1)[self.built % 2]
        key = meter_key(SEED, Role.STATION_METER, name, curve, RATED_W)
        meter = neighbourhood._meter(key, OPERATOR, "station", self.now_s)
        operator = Party(OPERATOR, "operator", self.here.world.keys.operator.address_hex)
        roster = Roster(
            parties=(operator,),
            meters=(replace(meter, **changes),),
            stations=(Station(name, OPERATOR, key.serial, PASSWORD),),
        )
        self.run(lambda: apply_roster(self.service, roster))
        return name, key

    def deposit(self, name, key, requested_wh=20_000):
        world = self.here.world
        wish = Wish(name, key.meter_id, world.keys.operator.address_hex, WattHours(requested_wh))
        driver = Driver(next(self.drivers), world.places, world.parameters)
        opened = self.runner.run(driver.open_session(self.client, wish, self.here.clock))
        self.runner.run(self.here.running.desk.idle())
        return opened

    def visit(self, *, station=None, first_page=1, **changes):
        name, key = station or self.build(**changes)
        return Visit(self, name, key, self.deposit(name, key), first_page)

    def law_breaks(self):
        self.runner.run(self.here.running.desk.idle())
        return self.runner.run(self.here.broken_laws())


class Visit:
    """One driver at one station; makes what the station would say, right unless told otherwise."""

    def __init__(self, court, name, key, opened, page=1):
        self.court, self.name, self.key, self.opened = court, name, key, opened
        self.tag, self.page, self.began_s = opened.id_tag, page, court.now_s
        self.transaction = None

    @property
    def row(self):
        with self.court.service.reading() as connection:
            return (
                connection.execute(
                    select(session).where(session.c.session_id == self.opened.session_id)
                )
                .mappings()
                .one()
            )

    @property
    def state(self):
        return self.row["state"]

    @property
    def codes(self):
        """Codes under which the station's messages stand in quarantine, in order."""
        with self.court.service.reading() as connection:
            found = select(refusal.c.code).where(refusal.c.source == self.name)
            return connection.execute(found.order_by(refusal.c.seq)).scalars().all()

    @property
    def events(self):
        with self.court.service.reading() as connection:
            found = select(event.c.name).where(event.c.trace_id == self.opened.session_id)
            return connection.execute(found.order_by(event.c.seq)).scalars().all()

    @property
    def slices(self):
        with self.court.service.reading() as connection:
            found = select(slice_.c.page, slice_.c.energy_wh)
            mine = found.where(slice_.c.session_id == self.opened.session_id)
            return connection.execute(mine.order_by(slice_.c.begin_s, slice_.c.page)).all()

    def reading(self, reason, register_wh, at_s, **changes):
        fields = {
            "TM": f'"{ocmf_instant(at_s)}"',
            "TX": f'"{reason}"',
            "RV": f"{register_wh // 1000}.{register_wh % 1000:03d}",
            "RI": '"1-b:1.8.0"',
            "RU": '"kWh"',
            "EF": '""',
            "ST": '"G"',
        } | changes
        return "{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}"

    def record(self, page, *readings, tag=None, key=None, serial=None):
        """Return a signed record of the given readings."""
        tag, serial = self.tag if tag is None else tag, serial or self.key.serial
        payload = (
            f'{{"FV":"1.4","PG":"{page}","MS":"{serial}","ID":"{tag}","RD":[{",".join(readings)}]}}'
        )
        return record_text(key or self.key, payload)

    def whole(self, energy_wh, *, begin_wh=REGISTER_WH, page=None, begin_s=None, **more):
        """Return the record of the whole session."""
        return self.record(
            f"T{page or self.page}",
            self.reading("B", begin_wh, begin_s or self.began_s),
            self.reading("E", begin_wh + energy_wh, self.court.now_s),
            **more,
        )

    def fiscal(self, number, from_wh, to_wh, *, begin_s=None, **more):
        """Return a fiscal record of the present interval."""
        now_s = self.court.now_s
        begin_s = now_s - now_s % 900 if begin_s is None else begin_s
        return self.record(
            f"F{number}",
            self.reading("C", REGISTER_WH + from_wh, begin_s),
            self.reading("C", REGISTER_WH + to_wh, begin_s + 60),
            **more,
        )

    def report(self, phase, *records, key, **changes):
        plain = TransactionReport(
            station_id=self.name,
            phase=phase,
            transaction=self.transaction,
            at_s=self.court.now_s,
            seq_no=None,
            offline=False,
            trigger="",
            reason=None,
            id_tag=None,
            evse_id=1,
            register_wh=None,
            values=(),
            records=records,
            key=key,
            body=repr((phase, records, sorted(changes.items(), key=str))).encode(),
        )
        return replace(plain, **changes)

    def starting(self, **changes):
        """OCPP 1.6: the service gives the transaction its id."""
        key = f"start/{self.tag}/{self.began_s}"
        plain = {
            "id_tag": self.tag,
            "register_wh": REGISTER_WH,
            "at_s": self.began_s,
            "key": key,
            "transaction": None,
        }
        return self.report(Phase.STARTED, **(plain | changes))

    def metered(self, *records, **changes):
        key = f"values/{self.transaction}/{self.court.now_s}/{len(records)}"
        return self.report(Phase.UPDATED, *records, **({"key": key} | changes))

    def stopping(self, *records, **changes):
        key = f"stop/{self.transaction}"
        return self.report(Phase.ENDED, *records, **({"key": key, "evse_id": 0} | changes))

    def numbered(self, phase, seq_no, *records, **changes):
        """OCPP 2.x: the station gives the transaction its id, and numbers what it says."""
        transaction = f"tx-{self.name}"
        plain = {
            "transaction": transaction,
            "seq_no": seq_no,
            "id_tag": self.tag,
            "key": f"event/{transaction}/{seq_no}",
        }
        return self.report(phase, *records, **(plain | changes))

    def say(self, told):
        """Say it; return the answer, or the code of the refusal."""
        try:
            return self.court.run(
                lambda: transactions.report(self.court.service, told, elapsed_ns=lambda: 1)
            )
        except VoisinError as fault:
            return fault.code

    def start(self, **changes):
        answer = self.say(self.starting(**changes))
        self.transaction = answer.transaction
        return answer

    def free(self):
        """The station says that the connector is free."""
        self.court.run(
            lambda: transactions.connector_freed(
                self.court.service, station_id=self.name, evse_id=1, at_s=self.court.now_s
            )
        )


@contextlib.contextmanager
def forecourt(directory):
    """Open a forecourt before a real service; its drivers have money."""
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        here = runner.run(stack.enter_async_context(community(directory)))
        client = httpx2.AsyncClient(base_url=here.running.url, timeout=60)
        runner.run(stack.enter_async_context(client))
        try:
            yield Forecourt(runner, here, client)
        finally:
            runner.run(stack.aclose())
