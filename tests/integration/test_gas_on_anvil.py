"""Another node's machine asks the same gas for every transaction that gas is measured by."""

from time import monotonic, sleep

import pytest

from scripts.benchmarks import gas
from scripts.benchmarks.rivals.nodes import ANVIL, running
from scripts.benchmarks.stage import START_S

OPTIONS = ("--base-fee", "0", "--gas-price", "0", "--hardfork", "osaka")


def mined_receipt(client, name):
    """Return the receipt of a transaction, which anvil mines a moment after it has taken it."""
    until_s = monotonic() + 10
    while monotonic() < until_s:
        receipt = client.call("eth_getTransactionReceipt", name)
        if receipt is not None:
            return receipt
        sleep(0.001)
    raise AssertionError(f"anvil never mined {name}")


@pytest.mark.parametrize("number", range(2), ids=["vault", "trade"])
def test_anvil_asks_the_same_gas_for_every_transaction(number, tmp_path):
    mined = gas.transactions(tmp_path, number)
    assert len(mined) > 100
    options = (*OPTIONS, "--timestamp", str(START_S))
    with running(ANVIL, tmp_path, *options) as node, node.connect() as client:
        for one in mined:
            client.call("evm_setNextBlockTimestamp", one.block.header.timestamp)
            name = client.call("eth_sendRawTransaction", "0x" + one.transaction.raw.hex())
            receipt = mined_receipt(client, name)
            assert int(receipt["status"], 16) == 1
            assert int(receipt["gasUsed"], 16) == one.gas_used
