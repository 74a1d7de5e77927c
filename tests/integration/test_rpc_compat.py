"""The vectors of execution-apis, answered from a chain that geth made."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from devnet.node.foreign import open_foreign
from devnet.rpc.dispatch import respond
from tests.integration.rpc_compat import (
    VECTORS,
    Vector,
    all_vectors,
    differences,
)


@pytest.fixture(scope="module")
def node() -> Iterator[Any]:
    """Open the chain of the vectors; it mines only when it is told to, so its head stays."""
    genesis, blocks = (VECTORS / name for name in ("genesis.json", "chain.rlp"))
    opened = open_foreign(genesis.read_bytes(), blocks.read_bytes())
    yield opened
    opened.close()


def test_all_vectors_are_here() -> None:
    vectors = all_vectors()
    assert len(vectors) == 79
    assert sum(vector.is_shape_alone for vector in vectors) == 12


@pytest.mark.parametrize("vector", all_vectors(), ids=lambda vector: vector.name)
def test_answers_as_geth_does(node: Any, vector: Vector) -> None:
    for exchange in vector.exchanges:
        answer = orjson.loads(respond(node, exchange.request))
        found = differences(answer, exchange.expected, shape_alone=vector.is_shape_alone)
        assert not found, found[:10]
