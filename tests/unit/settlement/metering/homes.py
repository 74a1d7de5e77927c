"""Homes, meters and readings in a real database, for tests of what counts for whom."""

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

from sqlalchemy import func, select

from contracts.typed_data import keccak
from ledger.store import migrate, open_engine
from ledger.tables import metadata as ledger_tables
from settlement.engine.market.measured import metered_parties
from settlement.metering.homes.counting import Estimates
from settlement.metering.readings import Register
from settlement.tables import metadata, meter, party, reading, run
from settlement.trading.zones import ZoneTree

QUARTER_S = 900
FOREVER_S = 2**40


@dataclass
class Rules:
    """As much of a community's rules as metering asks for."""

    community_id: str = "ash"
    interval_s: int = QUARTER_S
    loss_bound_bp: int = 500
    estimates: Estimates = Estimates.NONE
    tree: ZoneTree = field(default_factory=ZoneTree.single)

    def interval_of(self, at_s):
        return at_s // self.interval_s

    def start_s(self, interval):
        return interval * self.interval_s

    def end_s(self, interval):
        return (interval + 1) * self.interval_s


def id_of(serial):
    return "0x" + keccak(serial.encode()).hex()


class Homes:
    """A service that has only what metering needs."""

    def __init__(self, directory, rules):
        self.engine = open_engine(Path(directory) / "voisin.sqlite")
        migrate(self.engine, "ledger", ledger_tables)
        migrate(self.engine, "settlement", metadata)
        self.rules = rules
        self.service = SimpleNamespace(rules=rules, writing=self.engine.begin)
        self.parties = set()

    def do(self, work):
        with self.engine.begin() as connection:
            return work(self.service, connection)

    def enrol(self, serial, who, *, kind="gateway", from_s=0, until_s=FOREVER_S, **other):
        values = {
            "meter_id": id_of(serial),
            "valid_from_s": from_s,
            "valid_until_s": until_s,
            "serial": serial,
            "party": who,
            "kind": kind,
            "curve": "secp256k1",
            "public_key": bytes(64),
            "rated_power_w": 10_000,
        }
        with self.engine.begin() as connection:
            if who not in self.parties:
                connection.execute(party.insert().values(id=who, role="prosumer"))
                self.parties.add(who)
            connection.execute(meter.insert().values(**values | other))

    def say(self, serial, quarter, *, flags=0, **registers):
        """Store what a meter's registers show at the begin of a quarter of an hour."""
        self.say_at(serial, quarter * QUARTER_S, flags=flags, **registers)

    def say_at(self, serial, at_s, *, flags=0, **registers):
        """Store what a meter's registers show at an instant."""
        rows = [
            {
                "meter_id": id_of(serial),
                "register": int(Register[name.upper().rstrip("_")]),
                "at_s": at_s,
                "sequence": at_s,
                "energy_wh": energy_wh,
                "quality": 0,
                "digest": f"{serial}/{name}/{at_s // QUARTER_S}".encode(),
                "signature": b"",
                "body": b"",
                "flags": flags,
            }
            for name, energy_wh in registers.items()
        ]
        with self.engine.begin() as connection:
            connection.execute(reading.insert(), rows)

    def settle(self, quarter, inputs="{}"):
        """Write down a run of a quarter of an hour; return its number."""
        with self.engine.begin() as connection:
            number = (connection.execute(select(func.max(run.c.run))).scalar() or 0) + 1
            values = {
                column.name: b"" if column.name == "root" else 0
                for column in run.c
                if not column.nullable
            }
            values |= {"run": number, "interval": quarter, "inputs": inputs}
            connection.execute(run.insert().values(**values))
        return number

    def measure(self, quarter, number=10**6):
        """Return each party's energy in a quarter of an hour."""
        found = self.do(
            lambda service, connection: metered_parties(service, connection, quarter, number)
        )
        return {one.party: one for one in found}

    def energies(self, quarter):
        """Return import and export of each party."""
        return {name: (one.import_wh, one.export_wh) for name, one in self.measure(quarter).items()}


@contextmanager
def homes(directory, **rules):
    """Open a community in ``directory``."""
    made = Homes(directory, Rules(**rules))
    yield made
    made.engine.dispose()


__all__ = ["FOREVER_S", "QUARTER_S", "Homes", "Rules", "homes", "id_of"]
