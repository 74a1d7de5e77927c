"""Gas is exact: budgets that may only fall, a page that says them, and another node that agrees."""

from time import monotonic, sleep

import pytest

from scripts.benchmarks import gas
from scripts.benchmarks.rivals.nodes import ANVIL, running
from scripts.benchmarks.stage import START_S
from scripts.benchmarks.volume import gas_page
from scripts.benchmarks.volume.gas_parts import NOTHING

BUDGETS = {
    "open": 86_975,
    "close_with_ocmf": 80_547,
    "close_with_ocmf_pushed": 95_860,
    "close_with_ocmf_pushed_k1": 90_166,
    "ev_session_ocmf_pushed": 182_835,
    "ev_session_standing": 95_009,
    "ev_session_batched": 51_186,
    "member_run": 1_744,
    "trade_at_1000": 220,
    "settle_20_members": 83_932,
    "root_anchor": 29_913,
}


ANVIL_OPTIONS = ("--base-fee", "0", "--gas-price", "0", "--hardfork", "osaka")


@pytest.fixture(scope="module")
def campaigns(tmp_path_factory):
    return gas.measure(tmp_path_factory.mktemp("gas"))


@pytest.fixture(scope="module")
def found(campaigns):
    return gas.acts_of(campaigns)


class TestBudget:
    @pytest.mark.parametrize("name", BUDGETS)
    def test_is_what_the_act_costs_no_more_and_no_less(self, found, name):
        (one,) = [one for one in found if one.act.name == name]
        assert one.act.gas.to_integral_value("ROUND_CEILING") == BUDGETS[name]

    def test_is_there_for_every_act(self, found):
        assert [one.act.name for one in found] == list(BUDGETS) == list(gas_page.NOTES)


class TestParts:
    def test_sum_to_the_receipts(self, found):
        for one in found:
            assert sum(part.total for part in one.parts) == one.act.gas * one.act.share

    def test_leave_less_than_the_whole_to_computing(self, found):
        for one in found:
            for part in one.parts:
                assert 0 < part.computing < part.total
                assert part.base == 21_000


class TestBaseline:
    def test_is_what_the_chain_asks_for_nothing(self, found):
        for one in found:
            if one.act.against == NOTHING:
                assert one.act.baseline.gas_used == 21_000

    def test_costs_more_than_a_members_share(self, found):
        for one in found:
            if one.act.share > 1 and one.act.against != NOTHING:
                assert one.act.gas < one.act.baseline.gas_used


def test_the_page_says_what_was_measured(found):
    assert gas_page.PAGE.read_text(encoding="utf-8") == gas.page(found)


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
def test_anvil_asks_the_same_gas_for_every_transaction(campaigns, number, tmp_path):
    mined = campaigns[number].mined
    assert len(mined) > 100
    options = (*ANVIL_OPTIONS, "--timestamp", str(START_S))
    with running(ANVIL, tmp_path, *options) as node, node.connect() as client:
        for one in mined:
            client.call("evm_setNextBlockTimestamp", one.block.header.timestamp)
            name = client.call("eth_sendRawTransaction", "0x" + one.transaction.raw.hex())
            receipt = mined_receipt(client, name)
            assert int(receipt["status"], 16) == 1
            assert int(receipt["gasUsed"], 16) == one.gas_used
