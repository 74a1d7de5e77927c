from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rlp import encode
from trie import HexaryTrie

from devnet.engine.encoding import keccak, rlp_decode
from devnet.engine.trie import EMPTY_ROOT
from devnet.engine.world import EMPTY_CODE, Account, Changes, World

Slots = dict[int, int]
Model = tuple[dict[bytes, Account], dict[bytes, Slots]]
"""All accounts and all slots, as plainly as they can be written down."""

CODES = (b"", b"\x00", b"\x60\x00" * 40)
ADDRESSES = st.integers(0, 4).map(lambda number: bytes((number,)) * 20)
NUMBERS = st.sampled_from((0, 1, 127, 128, 255, 256, (1 << 64) - 1, 10**24))
ACCOUNTS = st.builds(
    Account,
    nonce=st.integers(0, 300),
    # Never empty: since the merge no empty account is in the state (EIP-161).
    balance=NUMBERS.map(lambda number: number + 1),
    code_hash=st.sampled_from([keccak(code) for code in CODES]),
)
SLOTS = st.dictionaries(st.sampled_from((0, 1, 2, (1 << 256) - 1)), NUMBERS, min_size=1, max_size=3)
# Only an account that is there keeps storage, as it is with contracts.
STEPS = st.dictionaries(
    ADDRESSES,
    st.one_of(st.none(), st.tuples(ACCOUNTS, SLOTS), st.tuples(st.just("as it is"), SLOTS)),
    max_size=3,
)
HISTORIES = st.lists(STEPS, min_size=1, max_size=8)


def changes_of(step: dict[bytes, tuple[Account | str, Slots] | None], model: Model) -> Changes:
    """Return the changes that ``step`` is; who goes takes all storage along."""
    accounts: dict[bytes, Account | None] = {}
    storage: dict[bytes, Slots] = {}
    for address, after in step.items():
        if after is None:
            accounts[address] = None
            if address in model[1]:
                storage[address] = dict.fromkeys(model[1][address], 0)
        elif after[0] != "as it is":
            accounts[address], storage[address] = after
        elif address in model[0]:
            storage[address] = after[1]
    return Changes(accounts, storage, CODES)


def after(model: Model, changes: Changes) -> Model:
    accounts, storage = deepcopy(model)
    for address, account in changes.accounts.items():
        if account is None:
            accounts.pop(address, None)
        else:
            accounts[address] = account
    for address, slots in changes.storage.items():
        kept = {s: v for s, v in (storage.pop(address, {}) | dict(slots)).items() if v}
        if kept:
            storage[address] = kept
    return accounts, storage


def root_of(model: Model) -> bytes:
    """Return the root, by libraries that share nothing with the world."""
    accounts, storage = model
    trie = HexaryTrie({})
    for address, account in accounts.items():
        slots = HexaryTrie({})
        for slot, value in storage.get(address, {}).items():
            slots[keccak(slot.to_bytes(32, "big"))] = encode(value)
        fields = [account.nonce, account.balance, slots.root_hash, account.code_hash]
        trie[keccak(address)] = encode(fields)
    return bytes(trie.root_hash)


def contents(base: World, number: int) -> Model:
    """Return everything that can be read of the state after block ``number``."""
    past = base.at(number)
    addresses = [bytes((one,)) * 20 for one in range(6)]
    accounts = {one: found for one in addresses if (found := past.account(one))}
    storage = {
        one: slots
        for one in addresses
        if (
            slots := {
                slot: value
                for slot in (0, 1, 2, 3, (1 << 256) - 1)
                if (value := past.slot(one, slot))
            }
        )
    }
    return accounts, storage


def grown(
    history: list[dict[bytes, tuple[Account | str, Slots] | None]],
) -> tuple[World, list[Model]]:
    """Return a world with that history, and what it must have been after every block."""
    first = {b"\x01" * 20: Account(1, 5, EMPTY_CODE)}, {b"\x01" * 20: {0: 9}}
    world, models = World(*first, CODES), [first]
    for number, step in enumerate(history, start=1):
        changes = changes_of(step, models[-1])
        models.append(after(models[-1], changes))
        assert world.root_after(changes) == root_of(models[-1])
        world.commit(number, changes)
    return world, models


class TestAt:
    @given(HISTORIES)
    @settings(deadline=None)
    def test_is_what_was_after_the_block(self, history: list) -> None:
        world, models = grown(history)
        for number, model in enumerate(models):
            assert contents(world, number) == model

    @given(HISTORIES)
    @settings(deadline=None)
    def test_can_be_copied_whole(self, history: list) -> None:
        world, models = grown(history)
        for number, model in enumerate(models):
            assert world.as_of(number).root() == root_of(model)

    def test_of_the_newest_block_follows_a_change_by_hand(self) -> None:
        world, _ = grown([{}])
        past = world.at(0)
        changes = Changes({b"\x02" * 20: Account(0, 7, EMPTY_CODE)}, {b"\x01" * 20: {0: 8}}, ())
        world.commit(1, changes)
        assert world.steps(1) == 2
        assert (past.account(b"\x02" * 20), past.slot(b"\x01" * 20, 0)) == (None, 9)
        assert world.at(1).slot(b"\x01" * 20, 0) == 8


class TestRoot:
    def test_of_nobody_is_the_empty_one(self) -> None:
        assert World({}, {}, ()).root() == EMPTY_ROOT

    @given(HISTORIES)
    @settings(deadline=None)
    def test_is_found_again_when_the_blocks_were_adopted(self, history: list) -> None:
        world, models = World(*grown([])[1][0], CODES), grown([])[1]
        for number, step in enumerate(history, start=1):
            changes = changes_of(step, models[-1])
            models.append(after(models[-1], changes))
            world.adopt(number, Changes.decode(changes.encode()))
        assert world.root() == root_of(models[-1])

    def test_is_not_the_old_one_when_a_block_was_adopted(self) -> None:
        world, models = grown([])
        before = world.root()
        changes = Changes({}, {b"\x01" * 20: {0: 10}}, ())
        world.adopt(1, changes)
        assert world.root() == root_of(after(models[0], changes)) != before


class TestRewind:
    @given(HISTORIES, st.data())
    @settings(max_examples=60, deadline=None)
    def test_brings_everything_back(self, history: list, data: st.DataObject) -> None:
        world, models = grown(history)
        number = data.draw(st.integers(0, len(history)))
        world.rewind(number, world.steps(number))
        assert world.number == number
        assert world.root() == root_of(models[number])
        for past in range(number + 1):
            assert contents(world, past) == models[past]

    @given(HISTORIES, HISTORIES)
    @settings(max_examples=60, deadline=None)
    def test_lets_another_history_begin(self, history: list, other: list) -> None:
        world, models = grown(history)
        world.rewind(1, 1)
        del models[2:]
        for number, step in enumerate(other, start=2):
            changes = changes_of(step, models[-1])
            models.append(after(models[-1], changes))
            assert world.root_after(changes) == root_of(models[-1])
            world.commit(number, changes)
        for number, model in enumerate(models):
            assert contents(world, number) == model

    @given(HISTORIES, st.lists(STEPS, min_size=1, max_size=4), st.data())
    @settings(max_examples=60, deadline=None)
    def test_takes_back_changes_by_hand(
        self, history: list, hands: list, data: st.DataObject
    ) -> None:
        world, models = grown(history)
        number, steps = len(history), [models[-1]]
        for step in hands:
            changes = changes_of(step, steps[-1])
            steps.append(after(steps[-1], changes))
            world.root_after(changes)
            world.commit(number, changes)
        kept = data.draw(st.integers(0, len(hands)))
        world.rewind(number, 1 + kept)
        assert world.steps(number) == 1 + kept
        assert world.root() == root_of(steps[kept])
        assert contents(world, number) == steps[kept]
        assert contents(world, number - 1) == models[number - 1]

    def test_of_a_world_without_tries_builds_them_later(self) -> None:
        changes = Changes({b"\x01" * 20: None}, {b"\x01" * 20: {0: 0}}, ())
        first = {b"\x01" * 20: Account(1, 5, EMPTY_CODE)}, {b"\x01" * 20: {0: 9}}
        world = World(*first, ())
        world.adopt(1, changes)
        world.rewind(0, 0)
        assert world.root() == root_of(first)


class TestProof:
    @given(HISTORIES)
    @settings(max_examples=40, deadline=None)
    def test_holds_against_the_root(self, history: list) -> None:
        world, models = grown(history)
        root, (accounts, storage) = world.root(), models[-1]
        for address in (bytes(20), b"\x01" * 20, b"\x05" * 20):
            proof = world.proof(address, (0, 2))
            nodes = [rlp_decode(node) for node in proof.account_proof]
            found = HexaryTrie.get_from_proof(root, keccak(address), nodes)
            account = accounts.get(address)
            if account is None:
                assert found == b""
                continue
            assert found == encode(
                [account.nonce, account.balance, proof.storage_root, account.code_hash]
            )
            for one in proof.storage:
                assert one.value == storage.get(address, {}).get(one.slot, 0)
                nodes = [rlp_decode(node) for node in one.proof]
                key = keccak(one.slot.to_bytes(32, "big"))
                value = HexaryTrie.get_from_proof(proof.storage_root, key, nodes)
                assert value == (encode(one.value) if one.value else b"")


class TestCode:
    def test_is_kept_by_hash(self) -> None:
        world, _ = grown([{}])
        world.commit(2, Changes({}, {}, (b"\xfe",)))
        assert world.at(0).code(keccak(b"\xfe")) == b"\xfe"
        assert world.code(EMPTY_CODE) == b""
        with pytest.raises(KeyError):
            world.code(keccak(b"\xfd"))


class TestChanges:
    @given(
        st.dictionaries(st.binary(min_size=20, max_size=20), st.one_of(st.none(), ACCOUNTS)),
        st.dictionaries(st.binary(min_size=20, max_size=20), SLOTS),
        st.lists(st.binary(max_size=70)).map(tuple),
    )
    @settings(deadline=None)
    def test_are_read_as_they_were_written(
        self,
        accounts: dict[bytes, Account | None],
        storage: dict[bytes, Slots],
        codes: tuple[bytes, ...],
    ) -> None:
        changes = Changes(accounts, storage, codes)
        assert Changes.decode(changes.encode()) == changes
