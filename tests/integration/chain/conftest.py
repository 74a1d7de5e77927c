from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.campaigns.under_fire.worker import Worker
from tests.integration.chain.support import Between, Node, between, worker


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    opened = Node(tmp_path / "chain")
    yield opened
    opened.close()


@pytest.fixture
def wire(node: Node) -> Iterator[Between]:
    with between(node.url) as opened:
        yield opened


@pytest.fixture
def settled(tmp_path: Path, node: Node) -> Iterator[Worker]:
    """A worker, final at once, whose token is deployed."""
    with worker(tmp_path, node.url) as opened:
        assert opened.advance() == 0
        yield opened


@pytest.fixture
def wired(tmp_path: Path, wire: Between) -> Iterator[Worker]:
    """The same, but what it says and hears goes over the wire."""
    with worker(tmp_path, wire.url) as opened:
        assert opened.advance() == 0
        wire.seen.clear()
        yield opened
