"""Read py-evm's tries: accounts, slots, the way to them, and what a block changed."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import rlp  # type: ignore[import-untyped] # rlp ships no types
from eth.abc import DatabaseAPI
from eth.constants import BLANK_ROOT_HASH, EMPTY_SHA3
from eth.rlp.accounts import Account as Leaf
from trie.hexary import HexaryTrie

from devnet.engine.encoding import keccak, rlp_decode
from devnet.engine.proof import Proof, SlotProof
from devnet.engine.world import EMPTY_CODE, Account, Changes

_HASH: Final = 32
_NOBODY: Final = Leaf(0, 0, BLANK_ROOT_HASH, EMPTY_SHA3)


class StateReader:
    """Accounts and slots under one state root."""

    def __init__(self, database: DatabaseAPI, root: bytes) -> None:
        """Read the state of ``root``, whose nodes ``database`` holds."""
        self._database = database
        self._accounts = _trie(database, root)

    def account(self, address: bytes) -> Account | None:
        """Return an account, or None if there is none."""
        leaf = self._leaf(address)
        return None if leaf is None else Account(leaf.nonce, leaf.balance, bytes(leaf.code_hash))

    def slot(self, address: bytes, slot: int) -> int:
        """Return the value of a slot, 0 if empty."""
        leaf = self._leaf(address) or _NOBODY
        return _value(_trie(self._database, leaf.storage_root).get(_key(slot)))

    def code(self, code_hash: bytes) -> bytes:
        """Return the code of that hash."""
        return b"" if code_hash == EMPTY_CODE else bytes(self._database[code_hash])

    def proof(self, address: bytes, slots: Iterable[int]) -> Proof:
        """Return what proves an account and its slots (EIP-1186)."""
        leaf = self._leaf(address) or _NOBODY
        storage = _trie(self._database, leaf.storage_root)
        return Proof(
            address=address,
            nonce=leaf.nonce,
            balance=leaf.balance,
            code_hash=bytes(leaf.code_hash),
            storage_root=bytes(leaf.storage_root),
            account_proof=_way(self._accounts, keccak(address)),
            storage=tuple(
                SlotProof(slot, _value(storage.get(_key(slot))), _way(storage, _key(slot)))
                for slot in slots
            ),
        )

    def _leaf(self, address: bytes) -> Leaf | None:
        encoded = self._accounts.get(keccak(address))
        return rlp.decode(encoded, sedes=Leaf) if encoded else None


def changes_between(
    before: StateReader, after: StateReader, touched: Mapping[bytes, Iterable[int]]
) -> Changes:
    """
    Return how the second state differs from the first.

    Parameters
    ----------
    touched
        Every account that may differ, with every slot of it that may.
    """
    accounts: dict[bytes, Account | None] = {}
    storage: dict[bytes, dict[int, int]] = {}
    codes = []
    for address, slots in touched.items():
        old, new = before.account(address), after.account(address)
        if old != new:
            accounts[address] = new
            if new is not None and (old is None or old.code_hash != new.code_hash):
                codes.append(after.code(new.code_hash))
        values = {slot: after.slot(address, slot) for slot in slots}
        differing = {
            slot: value for slot, value in values.items() if value != before.slot(address, slot)
        }
        if differing:
            storage[address] = differing
    return Changes(accounts, storage, tuple(code for code in codes if code))


def _trie(database: DatabaseAPI, root: bytes) -> HexaryTrie:
    return HexaryTrie(database, root)


def _way(trie: HexaryTrie, key: bytes) -> tuple[bytes, ...]:
    """Return the nodes from the root to ``key``."""
    # Keys are hashes, so no leaf is so short that it stands inside its parent.
    return tuple(rlp.encode(node) for node in cast("Any", trie).get_proof(key))


def _key(slot: int) -> bytes:
    return keccak(slot.to_bytes(_HASH, "big"))


def _value(encoded: bytes) -> int:
    if not encoded:
        return 0
    decoded = rlp_decode(encoded)
    assert isinstance(decoded, bytes)  # noqa: S101 - a slot holds a number
    return int.from_bytes(decoded, "big")
