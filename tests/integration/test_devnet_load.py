"""A node that many threads send to at once."""

import contextlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from devnet.node.chain import Devnet
from devnet.verify import verify
from ledger.clock import SystemClock
from scripts.campaigns.senders import GENESIS, senders
from scripts.campaigns.stall import load

THREADS = 8
EACH = 250
ROUNDS = 4
SOON_S = 60


def test_every_transaction_of_every_thread_is_mined_exactly_once(tmp_path: Path) -> None:
    done = load(tmp_path, THREADS, EACH)
    assert done.transactions == THREADS * EACH
    # Many share a block: nobody waits for the disk alone.
    assert done.blocks < done.transactions


def test_threads_that_share_a_sender_fill_each_other_s_gaps(tmp_path: Path) -> None:
    (sender,) = senders(1)
    nonces = range(THREADS * THREADS * ROUNDS)
    signed = [sender.sign(nonce) for nonce in nonces]
    hashes: list[bytes] = []
    with (
        contextlib.closing(Devnet.open(tmp_path, GENESIS, SystemClock())) as node,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        for first in range(0, len(signed), THREADS * THREADS):
            # The last nonces come first, so all but one have to wait for others.
            batch = signed[first : first + THREADS * THREADS][::-1]
            sent = list(pool.map(node.submit, batch))
            for submission in sent:
                submission.mined.result(SOON_S)
            hashes += [submission.hash for submission in sent]
        assert node.pool.status() == (0, 0)
        mined = Counter(
            outcome.transaction.hash
            for number in range(node.head_number + 1)
            for outcome in node.outcomes(number)
        )
        assert node.next_nonce(sender.address) == len(nonces)
    assert mined == Counter(hashes)
    assert set(mined.values()) == {1}
    assert verify(tmp_path).transactions == len(nonces)
