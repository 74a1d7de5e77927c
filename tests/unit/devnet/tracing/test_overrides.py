from dataclasses import replace

import pytest
from eth._utils.calculations import fake_exponential
from eth.vm.forks.frontier.state import FrontierState
from hypothesis import given
from hypothesis import strategies as st

from devnet.engine.builder import state_in
from devnet.tracing.calls import Call, attempt, call
from devnet.tracing.overrides import (
    AccountOverride,
    BadOverrideError,
    BlockOverride,
    override_accounts,
    override_block,
)
from tests.unit.devnet.tracing.support import (
    CHAIN_ID,
    KEEPER,
    POOR,
    SENDER,
    TELLER,
    Scene,
)

AT = b"\x01" * 19 + b"\x77"
KINDS = pytest.mark.parametrize("kind", ["flat", "stock"])
SCENE = Scene({AT: TELLER}, storage={AT: {0: 5, 1: 6}})
FRACTION = 5_007_716


class TestOverrideAccounts:
    @KINDS
    def test_gives_coins_a_nonce_and_code(self, kind: str) -> None:
        state = getattr(SCENE, kind)()
        override_accounts(state, {POOR: AccountOverride(balance=9, nonce=4, code=TELLER)})
        assert (state.get_balance(POOR), state.get_nonce(POOR)) == (9, 4)
        assert call(state, Call(sender=POOR, to=POOR, value=9)) == bytes(32)

    @KINDS
    def test_changes_some_slots(self, kind: str) -> None:
        state = getattr(SCENE, kind)()
        override_accounts(state, {AT: AccountOverride(state_diff={1: 7})})
        assert [state.get_storage(AT, slot) for slot in (0, 1)] == [5, 7]

    @KINDS
    @pytest.mark.parametrize("slots", [{}, {1: 7}])
    def test_replaces_all_slots(self, kind: str, slots: dict[int, int]) -> None:
        state = getattr(SCENE, kind)()
        override_accounts(state, {AT: AccountOverride(state=slots), POOR: AccountOverride()})
        assert [state.get_storage(AT, slot) for slot in (0, 1)] == [0, slots.get(1, 0)]
        assert call(state, Call(to=AT)) == bytes(32)

    def test_leaves_slots_of_others(self) -> None:
        scene = Scene({AT: TELLER, POOR: TELLER}, storage={AT: {0: 5}, POOR: {0: 6}})
        state = scene.flat()
        override_accounts(state, {POOR: AccountOverride(state={})})
        assert (state.get_storage(AT, 0), state.get_storage(POOR, 0)) == (5, 0)

    @KINDS
    def test_counts_as_what_was_there_before_the_transaction(self, kind: str) -> None:
        scene = Scene({AT: KEEPER})
        fresh = getattr(scene, kind)
        changed = fresh()
        override_accounts(changed, {AT: AccountOverride(state_diff={0: 1})})
        real = getattr(replace(scene, storage={AT: {0: 1}}), kind)()
        request = Call(to=AT, data=bytes(32))
        assert attempt(changed, request) == attempt(real, request)

    def test_works_in_the_first_fork(self) -> None:
        state = SCENE.stock(FrontierState)
        override_accounts(state, {AT: AccountOverride(state={2: 3})})
        assert [state.get_storage(AT, slot) for slot in (0, 2)] == [0, 3]

    @pytest.mark.parametrize(
        ("override", "text"),
        [
            (
                AccountOverride(move_precompile_to=POOR),
                "movePrecompileToAddress is not supported",
            ),
            (AccountOverride(state={}, state_diff={}), "has both 'state' and 'stateDiff'"),
            (AccountOverride(nonce=1 << 64), "nonce above 64 bits"),
        ],
    )
    def test_refuses_what_cannot_be(self, override: AccountOverride, text: str) -> None:
        with pytest.raises(BadOverrideError, match=text):
            override_accounts(SCENE.flat(), {AT: override})


class TestOverrideBlock:
    def test_changes_what_is_named_and_nothing_else(self) -> None:
        header = SCENE.header()
        assert override_block(header, BlockOverride()) == header
        changed = override_block(
            header,
            BlockOverride(
                number=9,
                time=10,
                gas_limit=11,
                fee_recipient=POOR,
                prev_randao=b"\7" * 32,
                base_fee_per_gas=12,
            ),
        )
        assert changed == replace(
            header,
            block_number=9,
            timestamp=10,
            gas_limit=11,
            coinbase=POOR,
            mix_hash=b"\7" * 32,
            base_fee_per_gas=12,
        )

    @given(fee=st.integers(0, 4_000_000))
    def test_sets_what_blob_gas_costs(self, fee: int) -> None:
        header = override_block(SCENE.header(), BlockOverride(blob_base_fee=fee))
        assert header.excess_blob_gas is not None
        assert fake_exponential(1, header.excess_blob_gas, FRACTION) == max(fee, 1)

    def test_knows_cancun_by_what_its_header_has_not(self) -> None:
        old = replace(SCENE.header(), requests_hash=None)
        header = override_block(old, BlockOverride(blob_base_fee=1_000))
        assert header.excess_blob_gas is not None
        assert fake_exponential(1, header.excess_blob_gas, 3_338_477) == 1_000

    def test_shows_in_a_call(self) -> None:
        # Answers with number, time, gas limit, coinbase, randomness, base fee and blob base fee.
        opcodes = (0x43, 0x42, 0x45, 0x41, 0x44, 0x48, 0x4A)
        code = b"".join(bytes((one, 0x60, at * 32, 0x52)) for at, one in enumerate(opcodes))
        scene = Scene({AT: code + bytes.fromhex("60e05ff3")})
        override = BlockOverride(
            number=9,
            time=10,
            gas_limit=11,
            fee_recipient=POOR,
            prev_randao=b"\7" * 32,
            base_fee_per_gas=12,
            blob_base_fee=13,
        )
        header = override_block(scene.header(), override)
        state = state_in(scene.world(), header, CHAIN_ID, ())
        output = call(state, Call(sender=SENDER, to=AT, gas_price=12, gas=100_000))
        words = [int.from_bytes(output[at : at + 32], "big") for at in range(0, len(output), 32)]
        randomness, coinbase = (int.from_bytes(one, "big") for one in (b"\7" * 32, POOR))
        assert words == [9, 10, 11, coinbase, randomness, 12, 13]

    @pytest.mark.parametrize(
        "override", [BlockOverride(base_fee_per_gas=1), BlockOverride(blob_base_fee=1)]
    )
    def test_refuses_what_the_fork_has_not(self, override: BlockOverride) -> None:
        old = replace(SCENE.header(), base_fee_per_gas=None, excess_blob_gas=None)
        with pytest.raises(BadOverrideError):
            override_block(old, override)
