from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account

from devnet.node.chain import Devnet
from ledger.clock import ReplayClock
from ledger.units import UnixSeconds
from tests.unit.devnet.support import GENESIS, START_S, Wallet


@pytest.fixture
def clock() -> ReplayClock:
    return ReplayClock(UnixSeconds(START_S + 100))


@pytest.fixture
def node(tmp_path: Path, clock: ReplayClock) -> Iterator[Devnet]:
    opened = Devnet.open(tmp_path, GENESIS, clock)
    yield opened
    opened.close()


@pytest.fixture
def wallet(node: Devnet) -> Wallet:
    return Wallet(node, Account.from_key(b"\x11" * 32))
