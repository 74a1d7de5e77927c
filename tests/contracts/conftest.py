from collections.abc import Iterator

import pytest

from tests.contracts.support import Fork, World


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> Iterator[World]:
    """One deployed community for the whole folder; what tests mine on it, they own."""
    made = World(tmp_path_factory.mktemp("chain"))
    yield made
    made.node.close()


@pytest.fixture
def fork(world: World) -> Fork:
    """A throw-away copy of the community, an hour after its start."""
    return world.fork()
