from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import settings

from devnet.node.chain import Devnet
from devnet.store.storage import Storage
from devnet.verify import ChangedByHandError
from tests.judged_chains import JudgedChains

# Every run tries the same examples, so that a change is judged by itself; new ones are looked for
# with ``scripts/test tests --hypothesis-profile=explore``.
settings.register_profile("same", derandomize=True, database=None)
settings.register_profile("explore", derandomize=False)
settings.load_profile("same")


@pytest.fixture(scope="session", autouse=True)
def _every_chain_is_judged() -> Iterator[None]:
    """Let stock py-evm import every chain again that a test made, when its node closes."""
    close, judged = Devnet.close, JudgedChains()

    def close_and_judge(node: Devnet) -> None:
        is_first = not node._closed
        close(node)
        # A node that could not write, and a foreign chain, left nothing of their own to judge.
        if is_first and node._failure is None and isinstance(node._storage, Storage):
            with suppress(ChangedByHandError):
                blocks, head_hash = judged.judge(node._storage.directory)
                assert blocks == node.head_number
                # A test may give block 0 accounts that no genesis file can name.
                assert not blocks or head_hash == node.head_hash

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Devnet, "close", close_and_judge)
        yield
