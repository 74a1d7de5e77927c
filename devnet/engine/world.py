"""
Hold every account of the newest block flat, and say what it was at any block before.

Reading takes one look into a dictionary. Each block leaves behind what its changes replaced, so the
past is found without keeping old tries, and a block can be taken back.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, cast

from devnet.engine.encoding import integer, keccak, rlp_decode, rlp_encode
from devnet.engine.proof import Proof, SlotProof
from devnet.engine.trie import EMPTY_ROOT, Trie

EMPTY_CODE: Final = keccak(b"")
"""Hash of no code."""

_DELETED_FIELDS: Final = 1


class Account(NamedTuple):
    """An account that is not empty (EIP-161)."""

    nonce: int
    """How many transactions it sent, or contracts it made."""
    balance: int
    """Its coins, in wei."""
    code_hash: bytes
    """Hash of its code."""


NOBODY: Final = Account(0, 0, EMPTY_CODE)
"""What an account is that nobody ever used."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a block does to the state."""

    accounts: Mapping[bytes, Account | None]
    """Accounts by address as they are after it; None if gone."""
    storage: Mapping[bytes, Mapping[int, int]]
    """Slots by account as they are after it; 0 if empty."""
    codes: tuple[bytes, ...]
    """Code that is new."""

    def encode(self) -> bytes:
        """Return its RLP, for the block log."""
        accounts = [
            (address,)
            if account is None
            else (address, integer(account.nonce), integer(account.balance), account.code_hash)
            for address, account in self.accounts.items()
        ]
        storage = [
            (address, [(integer(slot), integer(value)) for slot, value in slots.items()])
            for address, slots in self.storage.items()
        ]
        return rlp_encode((accounts, storage, self.codes))

    @staticmethod
    def decode(encoded: bytes) -> "Changes":
        """Return what ``encode`` wrote."""
        accounts, storage, codes = cast("list[list[Any]]", rlp_decode(encoded))
        return Changes(
            {
                fields[0]: None
                if len(fields) == _DELETED_FIELDS
                else Account(_number(fields[1]), _number(fields[2]), fields[3])
                for fields in accounts
            },
            {
                address: {_number(slot): _number(value) for slot, value in slots}
                for address, slots in storage
            },
            tuple(codes),
        )


class Base(Protocol):
    """Whatever a state can be opened on: the newest block, or one of the past."""

    def account(self, address: bytes) -> Account | None:
        """Return an account, or None if it is empty."""
        ...

    def slot(self, address: bytes, slot: int) -> int:
        """Return the value of a slot."""
        ...

    def code(self, code_hash: bytes) -> bytes:
        """Return the code of that hash."""
        ...


class World:
    """
    The accounts as of the newest block, their tries, and the way back.

    One thread changes it. Others may read any block's state through ``at`` meanwhile: what a
    change replaces is noted before it is replaced, and readers look in the other order.
    """

    def __init__(
        self,
        accounts: Mapping[bytes, Account],
        storage: Mapping[bytes, Mapping[int, int]],
        codes: Iterable[bytes],
    ) -> None:
        """Begin with block 0."""
        self.number = 0
        """The newest block."""
        self._accounts: Final[dict[bytes, Account | None]] = dict(accounts)
        self._storage: Final = {address: dict(slots) for address, slots in storage.items()}
        self._codes: Final = {keccak(code): code for code in codes} | {EMPTY_CODE: b""}
        self._account_past: Final[dict[bytes, list[tuple[int, Account | None]]]] = {}
        self._slot_past: Final[dict[bytes, dict[int, list[tuple[int, int]]]]] = {}
        self._changed: Final[dict[int, list[Changes]]] = {}
        self._trie: Trie | None = None
        self._storage_tries: Final[dict[bytes, Trie]] = {}

    # What a state reads.

    def account(self, address: bytes) -> Account | None:
        """Return an account as of the newest block, or None if it is empty."""
        return self._accounts.get(address)

    def slot(self, address: bytes, slot: int) -> int:
        """Return a slot's value as of the newest block."""
        slots = self._storage.get(address)
        return slots.get(slot, 0) if slots else 0

    def code(self, code_hash: bytes) -> bytes:
        """Return the code of that hash."""
        return self._codes[code_hash]

    def at(self, number: int) -> "Past":
        """Return the state as it was after block ``number``."""
        return Past(self, number)

    def account_at(self, address: bytes, number: int) -> Account | None:
        """Return an account as it was after block ``number``."""
        now = self._accounts.get(address)
        past = self._account_past.get(address)
        if past and past[-1][0] > number:
            return past[bisect_right(past, number, key=_first)][1]
        return now

    def slot_at(self, address: bytes, slot: int, number: int) -> int:
        """Return a slot's value as it was after block ``number``."""
        now = self.slot(address, slot)
        slots = self._slot_past.get(address)
        past = slots.get(slot) if slots else None
        if past and past[-1][0] > number:
            return past[bisect_right(past, number, key=_first)][1]
        return now

    # What changes it.

    def root_after(self, changes: Changes) -> bytes:
        """
        Put ``changes`` into the tries and return the new root.

        The caller commits the same changes next, or throws this world away.
        """
        trie = self._tries()
        for address in self._retrie(changes):
            account = changes.accounts.get(address) or self._accounts.get(address)
            gone = address in changes.accounts and changes.accounts[address] is None
            trie.put(
                keccak(address),
                b"" if gone or account is None else self._encode(address, account),
            )
        return trie.root()

    def _retrie(self, changes: Changes) -> set[bytes]:
        """Put the slots of ``changes`` into their tries; return all accounts concerned."""
        for address, slots in changes.storage.items():
            trie = self._storage_trie(address)
            for slot, value in slots.items():
                trie.put(_slot_key(slot), rlp_encode(integer(value)) if value else b"")
        return {*changes.accounts, *changes.storage}

    def commit(self, number: int, changes: Changes) -> None:
        """
        Make ``changes`` the state after block ``number``.

        It is the one after the newest, or the newest itself if the state is changed by hand.
        """
        for code in changes.codes:
            self._codes[keccak(code)] = code
        for address, account in changes.accounts.items():
            past = self._account_past.setdefault(address, [])
            past.append((number, self._accounts.get(address)))
            _put(self._accounts, address, account)
        for address, slots in changes.storage.items():
            pasts = self._slot_past.setdefault(address, {})
            current = self._storage.setdefault(address, {})
            for slot, value in slots.items():
                pasts.setdefault(slot, []).append((number, current.get(slot, 0)))
                _put(current, slot, value or None)
        self._changed.setdefault(number, []).append(changes)
        self.number = number

    def adopt(self, number: int, changes: Changes) -> None:
        """Make ``changes`` the state after block ``number``; tries are built again when asked."""
        self._trie = None
        self._storage_tries.clear()
        self.commit(number, changes)

    def patch(self, changes: Changes) -> None:
        """Change the newest state by hand; tries that are not built yet stay so."""
        if self._trie is not None:
            self.root_after(changes)
        self.commit(self.number, changes)

    def steps(self, number: int) -> int:
        """Return how many times the state of block ``number`` was set: by the block, by hand."""
        return len(self._changed.get(number, ()))

    def rewind(self, number: int, steps: int) -> None:
        """Take back every block above ``number``, and what was done to it after ``steps``."""
        while self.number > number:
            while self._changed.get(self.number):
                self._take_back()
            self._changed.pop(self.number, None)
            self.number -= 1
        while self.steps(number) > steps:
            self._take_back()

    def _take_back(self) -> None:
        touched = self._changed[self.number].pop()
        accounts = {address: self._account_past[address].pop()[1] for address in touched.accounts}
        storage = {
            address: {slot: self._slot_past[address][slot].pop()[1] for slot in slots}
            for address, slots in touched.storage.items()
        }
        for address, account in accounts.items():
            _put(self._accounts, address, account)
        for address, slots in storage.items():
            for slot, value in slots.items():
                _put(self._storage[address], slot, value or None)
        if self._trie is not None:
            self.root_after(Changes(accounts, storage, ()))

    # Tries.

    def root(self) -> bytes:
        """Return the root of the newest state."""
        return self._tries().root()

    def proof(self, address: bytes, slots: tuple[int, ...]) -> Proof:
        """Return the proof of an account and of its ``slots`` in the newest state."""
        account = self._accounts.get(address) or NOBODY
        trie = self._storage_trie(address)
        return Proof(
            address=address,
            nonce=account.nonce,
            balance=account.balance,
            code_hash=account.code_hash,
            storage_root=trie.root(),
            account_proof=self._tries().prove(keccak(address)),
            storage=tuple(
                SlotProof(slot, self.slot(address, slot), trie.prove(_slot_key(slot)))
                for slot in slots
            ),
        )

    def as_of(self, number: int) -> "World":
        """Return a copy of the state after block ``number``, to make proofs from."""
        addresses = {*self._accounts, *self._account_past}
        accounts = {
            address: account
            for address in tuple(addresses)
            if (account := self.account_at(address, number)) is not None
        }
        storage = {
            address: {
                slot: value
                for slot in tuple(
                    {*self._storage.get(address, ()), *self._slot_past.get(address, ())}
                )
                if (value := self.slot_at(address, slot, number))
            }
            for address in tuple({*self._storage, *self._slot_past})
        }
        return World(accounts, storage, self._codes.values())

    def _tries(self) -> Trie:
        """Return the trie of accounts; built once, after the log was read."""
        if self._trie is None:
            self._trie = Trie(
                (keccak(address), self._encode(address, account))
                for address, account in self._accounts.items()
                if account is not None
            )
        return self._trie

    def _storage_trie(self, address: bytes) -> Trie:
        trie = self._storage_tries.get(address)
        if trie is None:
            slots = self._storage.get(address, {})
            trie = self._storage_tries[address] = Trie(
                (_slot_key(slot), rlp_encode(integer(value))) for slot, value in slots.items()
            )
        return trie

    def _encode(self, address: bytes, account: Account) -> bytes:
        known = address in self._storage_tries or self._storage.get(address)
        root = self._storage_trie(address).root() if known else EMPTY_ROOT
        return rlp_encode(
            (integer(account.nonce), integer(account.balance), root, account.code_hash)
        )


class Past:
    """The state after one block, while the world goes on."""

    __slots__ = ("_number", "_world")

    def __init__(self, world: World, number: int) -> None:
        """Look at ``world`` as it was after block ``number``."""
        self._world = world
        self._number = number

    def account(self, address: bytes) -> Account | None:
        """Return an account, or None if it is empty."""
        return self._world.account_at(address, self._number)

    def slot(self, address: bytes, slot: int) -> int:
        """Return the value of a slot."""
        return self._world.slot_at(address, slot, self._number)

    def code(self, code_hash: bytes) -> bytes:
        """Return the code of that hash."""
        return self._world.code(code_hash)


def _put(mapping: dict[Any, Any], key: object, value: object) -> None:
    """Set ``key``; None takes it out."""
    if value is None:
        mapping.pop(key, None)
    else:
        mapping[key] = value


def _first(entry: tuple[int, object]) -> int:
    return entry[0]


def _slot_key(slot: int) -> bytes:
    return keccak(slot.to_bytes(32, "big"))


def _number(field: bytes) -> int:
    return int.from_bytes(field, "big")
