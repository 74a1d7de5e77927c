"""What strangers and the chain itself do: races for sessions, reorganizations, a lost mempool."""

from collections import Counter
from random import Random
from typing import Final

from sqlalchemy import RowMapping, select

from ledger.units import UnixSeconds
from scripts.campaigns.simulator.world.chain import Node
from scripts.campaigns.simulator.world.field import Field
from scripts.campaigns.simulator.world.hands import Hands
from settlement.engine.charging.running import opening_of, terms_of
from settlement.engine.roll import meter_key
from settlement.engine.service import Service
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_signatures import signature_for_chain
from settlement.tables import session

_OPENED: Final = ("open", "charging", "held", "closing")


class Meddlers:
    """Everything that happens past the service."""

    def __init__(
        self,
        node: Node,
        hands: Hands,
        field: Field,
        dice: Random,
        counted: Counter[str],
        depth: int,
    ) -> None:
        self.depth: Final = depth
        """How many blocks may be replaced."""
        self._node: Final = node
        self._hands: Final = hands
        self._field: Final = field
        self._dice: Final = dice
        self._counted: Final = counted

    def close_first(self, service: Service) -> None:
        """Bring a meter's record to the contract, perhaps before the station's letter comes."""
        rows = [row for row in _opened(service) if row["session_id"] in self._field.ended]
        if not rows:
            return
        row = self._dice.choice(rows)
        record = parse_record(self._field.ended[row["session_id"]].record)
        with service.reading() as connection:
            now_s = UnixSeconds(service.clock.now_s())
            key = meter_key(connection, terms_of(row).meter_id, now_s)
        proof = (record.payload, signature_for_chain(record, key))
        opening = opening_of(row).contract_tuple()
        if self._dice.randrange(3):
            self._hands.close(terms_of(row), opening, proof)
        else:
            self._hands.close_cosigned(terms_of(row), opening, proof, row["deposit_micros"])
        self._counted["stranger_closed"] += 1

    def expire_first(self, service: Service) -> None:
        """End a session by its deadline, perhaps before the service does."""
        now_s = service.clock.now_s()
        rows = [row for row in _opened(service) if row["deadline_s"] <= now_s + 60]
        if rows:
            row = self._dice.choice(rows)
            self._hands.expire(terms_of(row), opening_of(row).contract_tuple())
            self._counted["stranger_expired"] += 1

        self._hands.expire_past(now_s)

    def open_past(self, service: Service) -> None:
        """Open a session without asking the service."""
        self._hands.open_past_the_service(service.clock.now_s())
        self._counted["opened_past"] += 1

    def top_up(self, service: Service) -> None:
        """Raise the deposit of some session."""
        rows = _opened(service)
        if rows:
            row = self._dice.choice(rows)
            opening = opening_of(row).contract_tuple()
            self._hands.top_up(terms_of(row), opening, row["deposit_micros"])
            self._counted["topped_up"] += 1

    def mine(self) -> None:
        """Make some blocks, whatever there is to put in."""
        self._node.devnet.mine(self._dice.randint(1, 3))

    def slow_down(self) -> None:
        """Let what is sent wait in the pool, or no longer."""
        self._node.is_slow = not self._node.is_slow
        if self._node.is_slow:
            self._counted["node_slow"] += 1
        else:
            self._node.mine_pool()

    def drop_pool(self) -> None:
        """Lose what waits in the pool."""
        if len(self._node.devnet.pool):
            self._node.devnet.drop_all()
            self._counted["mempool_dropped"] += 1

    def reorganize(self) -> None:
        """Replace some blocks that are not final."""
        if self.depth:
            self._node.devnet.reorganize(self._dice.randint(1, self.depth))
            self._counted["reorganization"] += 1


def _opened(service: Service) -> list[RowMapping]:
    """Return the sessions that the contract may still know, by id."""
    query = (
        select(session)
        .where(session.c.state.in_(_OPENED), session.c.page_at_open.isnot(None))
        .order_by(session.c.session_id)
    )
    with service.reading() as connection:
        return list(connection.execute(query).mappings())
