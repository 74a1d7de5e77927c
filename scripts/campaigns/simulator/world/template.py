"""The community on the evening before: deployed, enrolled, funded, joined; once for all seeds."""

import atexit
import json
import shutil
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Final
from unittest.mock import patch

from api import embedded
from api.embedded import Secrets
from devnet.field.members import mandate_body, membership_body
from devnet.field.service import Places
from ledger.clock import Clock, ReplayClock
from ledger.units import Micros, UnixSeconds
from scripts.campaigns.simulator.world import door
from scripts.campaigns.simulator.world.chain import Node, Wire, WiredGateway
from scripts.campaigns.simulator.world.disk import Disk
from scripts.campaigns.simulator.world.hands import Hands
from scripts.campaigns.simulator.world.setting import BEGIN_S, NEWCOMER, setting
from settlement.chain.gateway import ChainGateway
from settlement.chain.indexer import Indexer
from settlement.engine.finality import advance
from settlement.engine.roll import apply_roster, fund_wallets
from settlement.engine.service import Service
from settlement.metering.periods import SettlementPeriod

_EVENING_S: Final = 3_600
_DRIVER_MICROS: Final = Micros(25_000_000)
_SPARE_BLOCKS: Final = 4
_CHAIN: Final = "chain"
_DAYS_EVERY: Final = 4

SECRETS: Final = Secrets.derive("simulator")
"""The service's keys."""


@dataclass(frozen=True, slots=True)
class Template:
    """What a simulation begins with."""

    disk: Path
    """Folder of the database."""
    chain: Path
    """Folder of the chain."""


def settlement_of(seed: int) -> SettlementPeriod:
    """Return what the chain settles at once: a day with every fourth seed, else an interval."""
    return (
        SettlementPeriod.DAY if seed % _DAYS_EVERY == _DAYS_EVERY - 1 else SettlementPeriod.INTERVAL
    )


@dataclass(frozen=True, slots=True)
class Manner:
    """How the service of a seed runs."""

    settlement: SettlementPeriod
    """What the chain settles at once."""
    depth: int = 0
    """How many blocks below the head are final."""


def open_service(directory: Path, gateway: ChainGateway, clock: Clock, manner: Manner) -> Service:
    """
    Start the service as in production, but in a manner of its own.

    Raises
    ------
    WritesClosedError
        If a step of the start fails, since the node is down for one.
    """
    # The embedded default knows no depth yet; its indexer is given one from outside.
    rules = replace(setting().rules, settlement=manner.settlement)
    with patch.object(embedded, "Indexer", partial(Indexer, depth=manner.depth)):
        service, started = embedded.open_service(directory, gateway, clock, rules, SECRETS)
    if started.closed_by is not None:
        service.close()
        raise started.closed_by
    return service


def places_of(service: Service) -> Places:
    """Return chain and contracts as the field knows them."""
    contracts = service.contracts
    return Places(
        chain_id=service.identity.chain_id,
        token=contracts.token.address,
        vault=contracts.vault.address,
        trade=contracts.trade.address,
    )


@cache
def template(settlement: SettlementPeriod = SettlementPeriod.INTERVAL) -> Template:
    """Make the community, once in a process; it stays until the process ends."""
    disk = Disk()
    atexit.register(disk.remove)
    clock = ReplayClock(UnixSeconds(BEGIN_S - _EVENING_S))
    node = Node(disk.root / _CHAIN, clock)
    gateway = WiredGateway(Wire(node, lambda _where: None))
    service = open_service(disk.here, gateway, clock, Manner(settlement))
    _move_in(service)
    idle = Random(0)  # noqa: S311 - nothing is drawn
    Hands(node, service.contracts, idle).prepare()
    node.devnet.mine(_SPARE_BLOCKS)
    advance(service)
    service.close()
    node.close()
    return Template(disk.here, disk.root / _CHAIN)


def begin(disk: Disk, clock: Clock, settlement: SettlementPeriod) -> Node:
    """Copy the template's chain to ``disk`` and open it."""
    shutil.copytree(template(settlement).chain, disk.root / _CHAIN)
    return Node(disk.root / _CHAIN, clock)


def _move_in(service: Service) -> None:
    known = setting()
    apply_roster(service, known.roster)
    amounts = {one.wallet.address_hex: 2 * one.amount_micros for one in known.members}
    fund_wallets(service, amounts, purpose="members")
    drivers = dict.fromkeys(
        (one.address_hex for one in known.keys.drivers.values()), _DRIVER_MICROS
    )
    fund_wallets(service, drivers, purpose="drivers")
    places = places_of(service)
    for member in known.members:
        if member.party != NEWCOMER:
            join = membership_body(member, places, known.validity)
            door.join(service, json.dumps(join).encode())
        mandate = mandate_body(member, places, known.validity)
        door.record_mandate(service, json.dumps(mandate).encode())
