from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from eth_typing import Address
from hypothesis import given, settings
from hypothesis import strategies as st

from devnet.engine.builder import state_in
from devnet.engine.encoding import keccak
from devnet.engine.state import FlatState
from devnet.engine.world import EMPTY_CODE, Account, Changes, World
from devnet.store.beginning import begin
from tests.unit.devnet.engine.support import CHAIN_ID, GENESIS

CODE = b"\x60\x01"
OLD, KEPT, RICH, NEW, NEVER = (Address(bytes((number,)) * 20) for number in range(1, 6))
WORLD = World(
    {
        OLD: Account(1, 0, keccak(CODE)),
        KEPT: Account(1, 3, keccak(CODE)),
        RICH: Account(0, 10**18, EMPTY_CODE),
    },
    {OLD: {0: 5, 1: 6}, KEPT: {0: 7}},
    (CODE,),
)
EVERYBODY = (OLD, KEPT, RICH, NEW, NEVER)


@dataclass
class Model:
    """What the state must be, copied as a whole wherever it is marked."""

    accounts: dict[bytes, list[Any]] = field(
        default_factory=lambda: {
            OLD: [1, 0, CODE],
            KEPT: [1, 3, CODE],
            RICH: [0, 10**18, b""],
        }
    )
    storage: dict[tuple[bytes, int], int] = field(
        default_factory=lambda: {(OLD, 0): 5, (OLD, 1): 6, (KEPT, 0): 7}
    )
    transient: dict[tuple[bytes, int], bytes] = field(default_factory=dict)
    warm: set[object] = field(default_factory=set)

    def of(self, address: bytes) -> list[Any]:
        return self.accounts.setdefault(address, [0, 0, b""])

    def delete(self, address: bytes) -> None:
        self.accounts.pop(address, None)
        self.storage = {key: value for key, value in self.storage.items() if key[0] != address}


def opened() -> FlatState:
    return state_in(WORLD, begin(GENESIS)[1].header, CHAIN_ID, ())


Act = Callable[[FlatState, Model], None]
"""Does the same to both."""


def _nonce(who: Address, to: int) -> Act:
    def act(state: FlatState, model: Model) -> None:
        state.set_nonce(who, to)
        model.of(who)[0] = to

    return act


def _count(who: Address) -> Act:
    def act(state: FlatState, model: Model) -> None:
        state.increment_nonce(who)
        model.of(who)[0] += 1

    return act


def _balance(who: Address, to: int) -> Act:
    def act(state: FlatState, model: Model) -> None:
        state.set_balance(who, to)
        model.of(who)[1] = to

    return act


def _earn(who: Address, delta: int) -> Act:
    def act(state: FlatState, model: Model) -> None:
        state.delta_balance(who, delta)
        model.of(who)[1] += delta

    return act


def _code(who: Address, code: bytes) -> Act:
    def act(state: FlatState, model: Model) -> None:
        if code:
            state.set_code(who, code)
        else:
            state.delete_code(who)
        model.of(who)[2] = code

    return act


def _store(who: Address, slot: int, value: int) -> Act:
    def act(state: FlatState, model: Model) -> None:
        state.set_storage(who, slot, value)
        model.storage[who, slot] = value

    return act


def _keep(who: Address, slot: int, value: bytes) -> Act:
    def act(state: FlatState, model: Model) -> None:
        state.set_transient_storage(who, slot, value)
        model.transient[who, slot] = value

    return act


def _touch(who: Address, slot: int | None) -> Act:
    def act(state: FlatState, model: Model) -> None:
        if slot is None:
            state.mark_address_warm(who)
            model.warm.add(who)
        else:
            state.mark_storage_warm(who, slot)
            model.warm.add((who, slot))

    return act


WHO = st.sampled_from(EVERYBODY[:-1])
SLOT = st.integers(0, 2)
ACTS = st.one_of(
    st.builds(_nonce, WHO, st.integers(0, 2)),
    st.builds(_count, WHO),
    st.builds(_balance, WHO, st.integers(0, 3)),
    st.builds(_earn, WHO, st.integers(0, 3)),
    st.builds(_code, WHO, st.sampled_from((CODE, b"\xfe", b""))),
    st.builds(_store, WHO, SLOT, st.integers(0, 7)),
    st.builds(_store, WHO, SLOT, st.integers(0, 7)),
    st.builds(_keep, WHO, SLOT, st.sampled_from((b"", b"\x01"))),
    st.builds(_touch, WHO, st.one_of(st.none(), SLOT)),
)
COMMANDS = st.lists(
    st.one_of(ACTS, ACTS, ACTS, st.sampled_from(("mark", "undo", "keep", "begin", "delete"))),
    max_size=40,
)


def check(state: FlatState, model: Model, began: Model) -> None:
    """Compare everything that can be read; ``began`` is how the transaction began."""
    for who in EVERYBODY:
        nonce, balance, code = model.accounts.get(who, [0, 0, b""])
        assert state.get_nonce(who) == nonce
        assert state.get_balance(who) == balance
        assert state.get_code(who) == code
        assert state.get_code_hash(who) == keccak(code)
        there = bool(nonce or balance or code)
        assert state.account_exists(who) is there
        assert state.account_is_empty(who) is not there
        assert state.has_code_or_nonce(who) == bool(nonce or code)
        assert state.is_address_warm(who) == (who in model.warm)
        for slot in range(4):
            key = (who, slot)
            assert state.get_storage(who, slot) == model.storage.get(key, 0)
            assert state.get_storage(who, slot, from_journal=False) == began.storage.get(key, 0)
            assert state.get_transient_storage(who, slot) == model.transient.get(key, b"")
            assert state.is_storage_warm(who, slot) == (key in model.warm)


def expected(model: Model) -> tuple[dict[bytes, Account | None], dict[bytes, dict[int, int]]]:
    """Return in which accounts and slots ``model`` differs from the world."""
    accounts: dict[bytes, Account | None] = {}
    storage: dict[bytes, dict[int, int]] = {}
    for who in EVERYBODY:
        nonce, balance, code = model.accounts.get(who, [0, 0, b""])
        account = Account(nonce, balance, keccak(code)) if nonce or balance or code else None
        if account != WORLD.account(who):
            accounts[who] = account
        for slot in range(4):
            value = model.storage.get((who, slot), 0)
            if value != WORLD.slot(who, slot):
                storage.setdefault(who, {})[slot] = value
    return accounts, storage


class TestFlatState:
    @given(COMMANDS)
    @settings(max_examples=300, deadline=None)
    def test_is_what_a_copy_at_every_mark_would_be(self, commands: list[Act | str]) -> None:
        state, model = opened(), Model()
        began = deepcopy(model)
        marks: list[tuple[Any, Model]] = []
        for command in commands:
            if callable(command):
                command(state, model)
            elif command == "mark":
                marks.append((state.snapshot(), deepcopy(model)))
            elif command in ("begin", "delete"):
                if command == "delete":
                    # Only at a transaction's end, and only what it made itself (EIP-6780).
                    state.delete_account(NEW)
                    model.delete(NEW)
                state.lock_changes()
                marks, model.transient, model.warm = [], {}, set()
                began = deepcopy(model)
            elif marks and command == "undo":
                mark, model = marks.pop()
                state.revert(mark)
            elif marks:
                state.commit(marks.pop()[0])
            check(state, model, began)
        accounts, storage = expected(model)
        changes = state.changes()
        assert (changes.accounts, changes.storage) == (accounts, storage)

    def test_never_writes_what_it_stands_on(self) -> None:
        state = opened()
        for act in (_nonce(OLD, 9), _code(OLD, b""), _store(OLD, 0, 1), _earn(RICH, 5)):
            act(state, Model())
        assert WORLD.account(OLD) == Account(1, 0, keccak(CODE))
        assert (WORLD.slot(OLD, 0), WORLD.account(RICH)) == (5, Account(0, 10**18, EMPTY_CODE))
        check(opened(), Model(), Model())

    def test_names_new_code_and_no_other(self) -> None:
        state = opened()
        state.set_code(NEW, b"\xfe")
        mark = state.snapshot()
        state.set_code(RICH, b"\xfd")
        state.revert(mark)
        state.set_balance(KEPT, 9)
        assert state.changes().codes == (b"\xfe",)

    def test_that_came_out_as_it_was_changed_nothing(self) -> None:
        state = opened()
        state.set_storage(OLD, 0, 1)
        state.set_storage(OLD, 0, 5)
        state.delta_balance(RICH, 1)
        state.delta_balance(RICH, -1)
        state.set_balance(NEW, 1)
        state.set_balance(NEW, 0)
        assert state.changes() == Changes({}, {}, ())

    def test_finds_precompiles_warm(self) -> None:
        assert opened().is_address_warm(Address((0x100).to_bytes(20, "big")))
        assert opened().is_address_warm(Address((1).to_bytes(20, "big")))
        assert not opened().is_address_warm(Address((0x101).to_bytes(20, "big")))

    def test_forgets_transient_storage_when_told(self) -> None:
        state = opened()
        state.set_transient_storage(OLD, 0, b"\x01")
        state.clear_transient_storage()
        assert state.get_transient_storage(OLD, 0) == b""

    def test_has_no_root_of_its_own(self) -> None:
        assert opened().state_root == opened().make_state_root() == b""
