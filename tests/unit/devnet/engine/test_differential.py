"""Blocks of the flat engine, before the judge: stock py-evm."""

from collections.abc import Iterable
from dataclasses import dataclass

import pytest
from eth.abc import StateAPI
from eth.vm import opcode_values as op
from eth.vm.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devnet.engine.transactions import Transaction
from devnet.engine.world import Changes
from devnet.stock.judge import judge
from devnet.store.beginning import begin
from devnet.translation import programs
from tests.unit.devnet.engine.random_programs import ARITHMETIC, Author, joined, push
from tests.unit.devnet.engine.support import (
    CONTRACTS,
    GENESIS,
    OTHER,
    PEOPLE,
    POOR,
    PRECOMPILES,
    RICH,
    Chain,
    authorization,
    init_code,
    of,
    signed,
)
from tests.unit.devnet.stock.support import engine

pytestmark = pytest.mark.filterwarnings("ignore:SELFDESTRUCT:DeprecationWarning")

NEVER = 1 << 60
PROGRAMS = st.integers(0, 99_999).map(lambda seed: Author(seed).program())
ADDRESSES = st.sampled_from((*CONTRACTS, *PEOPLE, *PRECOMPILES))
DATA = st.one_of(
    st.binary(max_size=70), st.integers(0, 3).map(lambda word: word.to_bytes(32, "big"))
)
CALLS = st.lists(
    st.tuples(
        st.sampled_from(CONTRACTS),
        DATA,
        st.sampled_from((400_000, 100_000, 60_000)),
        st.sampled_from((0, 0, 1)),
    ),
    min_size=1,
    max_size=5,
)
HISTORIES = st.lists(CALLS, min_size=1, max_size=2)
BOUNDED = settings(
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)


def translating_after(runs: int) -> None:
    programs._WARM_AFTER = runs
    programs.program_of.cache_clear()


@pytest.fixture(autouse=True)
def _threshold(monkeypatch: pytest.MonkeyPatch) -> Iterable[None]:
    """Put the threshold back."""
    monkeypatch.setattr(programs, "_WARM_AFTER", programs._WARM_AFTER)
    yield
    programs.program_of.cache_clear()


def check(chain: Chain) -> None:
    """Let stock py-evm judge all blocks, and a second world take what they change."""
    assert judge(GENESIS, chain.raw) == chain.blocks[-1].hash
    world, _ = begin(GENESIS)
    for number, changes in enumerate(chain.changes, start=1):
        world.adopt(number, Changes.decode(changes.encode()))
    assert world.root() == chain.blocks[-1].header.state_root


def play(codes: list[bytes], history: list[list[tuple[bytes, bytes, int, int]]]) -> Chain:
    """Make the contracts in block 1, and call them in later blocks, each call a transaction."""
    chain = Chain()
    chain.mine(
        [
            signed(RICH, nonce, to=None, data=init_code(code), value=3, gas=3_000_000)
            for nonce, code in enumerate(codes)
        ]
    )
    nonce = len(codes)
    for calls in history:
        sent = []
        for to, data, gas, value in calls:
            sent.append(signed(RICH, nonce, to=to, data=data, gas=gas, value=value))
            nonce += 1
        assert len(chain.mine(sent).transactions) == len(sent)
    return chain


class TestPrograms:
    @settings(BOUNDED, max_examples=110)
    @given(st.lists(PROGRAMS, min_size=1, max_size=3), HISTORIES)
    def test_run_as_py_evm_runs_them(
        self, codes: list[bytes], history: list[list[tuple[bytes, bytes, int, int]]]
    ) -> None:
        translating_after(1)
        translated = play(codes, history)
        translating_after(NEVER)
        interpreted = play(codes, history)
        assert translated.raw == interpreted.raw
        check(translated)


KEYS = (RICH, POOR, OTHER)
LISTS = st.lists(
    st.fixed_dictionaries(
        {
            "address": ADDRESSES.map(lambda address: "0x" + address.hex()),
            "storageKeys": st.lists(
                st.integers(0, 3).map(lambda slot: f"0x{slot:064x}"), max_size=2
            ),
        }
    ),
    max_size=3,
)
TARGETS = st.one_of(st.none(), st.sampled_from(CONTRACTS), st.sampled_from(PEOPLE), ADDRESSES)
DELEGATES = st.one_of(st.just(bytes(20)), st.sampled_from(CONTRACTS), st.sampled_from(PEOPLE))
PAYLOADS = st.one_of(
    st.just(b""),
    st.binary(max_size=40),
    st.binary(min_size=300, max_size=700),
    PROGRAMS.map(init_code),
)


@dataclass(frozen=True)
class Wish:
    """What somebody would like to send."""

    key: int
    kind: int
    to: bytes | None
    value: int
    data: bytes
    spare: int
    """Gas above what the protocol takes at least."""
    price: int
    tip: int
    slots: list[dict[str, object]]
    authorizations: list[tuple[int, bytes, int, int]]
    """Whose, for whom, how far the nonce is off, and for which chain."""

    def signed(self, nonces: dict[bytes, int]) -> Transaction | None:
        """Return the transaction, with the gas it wants; None if there is no such transaction."""
        key = KEYS[self.key]
        nonce = nonces[of(key)]
        fees: dict[str, object] = {"maxFeePerGas": self.price, "maxPriorityFeePerGas": self.tip}
        if self.kind < 2:
            fees = {"gasPrice": self.price, "maxFeePerGas": None, "maxPriorityFeePerGas": None}
        if self.kind > 0:
            fees["accessList"] = self.slots
        to = self.to
        if self.kind == 4:
            if to is None:
                return None
            fees["authorizationList"] = [
                authorization(
                    KEYS[whose],
                    delegate,
                    max(0, nonces[of(KEYS[whose])] + (whose == self.key) + off),
                    chain_id,
                )
                for whose, delegate, off, chain_id in self.authorizations
            ]
        fields = {"to": to, "value": self.value, "data": self.data, **fees}
        draft = signed(key, nonce, **fields)
        zeros = draft.data.count(0)
        tokens = zeros + 4 * (len(draft.data) - zeros)
        words = 0 if to else 2 * -(-len(draft.data) // 32)
        least = max(draft.intrinsic_gas + words, 21_000 + 10 * tokens)
        return signed(key, nonce, gas=least + self.spare, **fields)


WISHES = st.builds(
    Wish,
    key=st.integers(0, 2),
    kind=st.sampled_from((0, 1, 2, 2, 4, 4)),
    to=TARGETS,
    value=st.sampled_from((0, 0, 1, 1_000)),
    data=PAYLOADS,
    spare=st.sampled_from((0, 1, 2_000, 40_000, 300_000)),
    price=st.sampled_from((0, 0, 1, 7)),
    tip=st.sampled_from((0, 1)),
    slots=LISTS,
    authorizations=st.lists(
        st.tuples(
            st.integers(0, 2),
            DELEGATES,
            st.sampled_from((0, 0, 0, 1, -1)),
            st.sampled_from((1_337, 0, 1_337, 5)),
        ),
        min_size=1,
        max_size=3,
    ),
)
COINBASES = st.sampled_from((bytes(20), of(RICH), of(POOR), CONTRACTS[0], b"\x05" * 20))


def grant(codes: list[bytes], batches: list[tuple[bytes, list[Wish]]]) -> Chain:
    """Make the contracts, then blocks of those wishes that the chain admits."""
    chain = Chain()
    chain.mine(
        [
            signed(RICH, nonce, to=None, data=init_code(code), gas=2_000_000)
            for nonce, code in enumerate(codes)
        ]
    )
    for coinbase, wishes in batches:
        number = len(chain.blocks) - 1
        accounts = {of(key): chain.engine.account(of(key), number) for key in KEYS}
        nonces = {sender: found.nonce if found else 0 for sender, found in accounts.items()}
        sent = []
        for wish in wishes:
            transaction = wish.signed(nonces)
            if transaction is not None and chain.admits(transaction):
                sent.append(transaction)
                nonces[transaction.sender] += 1
        chain.mine(sent, coinbase)
    return chain


class TestTransactions:
    @settings(BOUNDED, max_examples=110)
    @given(
        st.lists(PROGRAMS, max_size=3),
        st.lists(
            st.tuples(COINBASES, st.lists(WISHES, min_size=1, max_size=6)), min_size=1, max_size=3
        ),
    )
    def test_do_as_py_evm_does(
        self, codes: list[bytes], batches: list[tuple[bytes, list[Wish]]]
    ) -> None:
        translating_after(1)
        translated = grant(codes, batches)
        translating_after(NEVER)
        interpreted = grant(codes, batches)
        assert translated.raw == interpreted.raw
        check(translated)

    def test_of_an_account_that_another_moved_on_are_left_out(self) -> None:
        chain = Chain()
        moving = signed(RICH, 0, authorizationList=[authorization(OTHER, b"\x55" * 20, 0)])
        late, next_one = signed(OTHER, 0), signed(OTHER, 1)
        assert chain.mine([moving, late, next_one]).transactions == (moving, next_one)
        check(chain)

    def test_of_an_account_that_another_drained_are_left_out(self) -> None:
        # The delegate sends whoever calls it all that it has.
        drain = bytes.fromhex("5f5f5f5f47335af1")
        chain = Chain()
        chain.mine([signed(RICH, 0, to=None, data=init_code(drain))])
        delegate = authorization(OTHER, CONTRACTS[0], 0)
        chain.mine([signed(RICH, 1, authorizationList=[delegate])])
        draining = signed(RICH, 2, to=of(OTHER))
        paying = signed(OTHER, 1, gas=21_000, maxFeePerGas=1)
        assert chain.mine([draining, paying]).transactions == (draining,)
        check(chain)


def output(states: StateAPI, code: bytes) -> tuple[bytes, int, bool]:
    """Return what the code says, the gas that it leaves, and whether it came to its end."""
    message = Message(
        gas=100_000, to=CONTRACTS[0], sender=of(RICH), value=0, data=bytes(range(40)), code=code
    )
    context = states.get_transaction_context_class()(gas_price=0, origin=of(RICH))
    done = states.computation_class.apply_message(states, message, context)
    return bytes(done.output), done.get_gas_remaining(), bool(done.is_success)


class TestWords:
    @pytest.mark.parametrize(("opcode", "count"), sorted(ARITHMETIC.items()))
    def test_come_out_as_py_evm_has_them(self, opcode: int, count: int) -> None:
        author = Author(opcode)
        flat, stock = (
            Chain().engine.scratch(0, begin(GENESIS)[1].header),
            engine(GENESIS).scratch(0),
        )
        told = joined(op.PUSH0, op.MSTORE, push(32), op.PUSH0, op.RETURN)
        translating_after(1)
        for _ in range(60):
            words = [push(author.word()) for _ in range(count)]
            code = joined(*words, opcode, told)
            assert output(flat, code) == output(stock, code)

    @pytest.mark.parametrize("opcode", range(256))
    def test_are_missed_where_py_evm_misses_them(self, opcode: int) -> None:
        # With nothing, little and much on the stack, and with the stack full.
        flat, stock = (
            Chain().engine.scratch(0, begin(GENESIS)[1].header),
            engine(GENESIS).scratch(0),
        )
        translating_after(1)
        for count in (0, 1, 2, 3, 6, 7, 16, 17, 1_023, 1_024):
            code = joined(*(op.PUSH0,) * count, opcode, op.GAS, op.STOP)
            flat.lock_changes()
            stock.lock_changes()
            assert output(flat, code) == output(stock, code)
