"""
Keep accounts flat, with an undo journal, below py-evm's opcodes.

py-evm reads and writes its state through one interface. Here it is a few dictionaries and a list of
what to undo; the tries are only touched once, when a block is sealed. An instance can be opened on
any root that was ever sealed.
"""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, cast

from eth.abc import AccountDatabaseAPI, ExecutionContextAPI, MetaWitnessAPI
from eth.typing import JournalDBCheckpoint
from eth_typing import Address, Hash32

from devnet.engine.encoding import integer, keccak, rlp_decode, rlp_encode
from devnet.engine.trie import EMPTY_ROOT, Trie
from devnet.precompile import VoisinState

EMPTY_CODE: Final = keccak(b"")
"""Hash of no code."""

_MISSING: Final = object()


class Account(NamedTuple):
    """One account as the trie holds it."""

    nonce: int = 0
    """How many transactions it sent, or contracts it made."""
    balance: int = 0
    """Its money, in wei."""
    storage_root: bytes = EMPTY_ROOT
    """Root of its storage as of the last sealed block."""
    code_hash: bytes = EMPTY_CODE
    """Hash of its code."""

    def encode(self) -> bytes:
        """Return the value that the trie holds."""
        return rlp_encode(
            (integer(self.nonce), integer(self.balance), self.storage_root, self.code_hash)
        )

    @staticmethod
    def decode(encoded: bytes) -> "Account":
        """Return the account of a value of the trie."""
        nonce, balance, storage_root, code_hash = cast("list[bytes]", rlp_decode(encoded))
        return Account(
            int.from_bytes(nonce, "big"), int.from_bytes(balance, "big"), storage_root, code_hash
        )


class FlatAccounts(AccountDatabaseAPI):
    """
    The accounts at one root, and what was done to them since.

    ``nodes`` holds trie nodes and code by hash; it is only read. ``seal`` computes the next root
    and the nodes to add; ``adopt`` makes it the state to start from, ``rollback`` returns to the
    last.
    """

    def __init__(self, nodes: Mapping[bytes, bytes], root: bytes) -> None:
        self._nodes: Final = nodes
        self._root = root
        self._accounts: dict[Address, Account | None] = {}
        self._storage: dict[Address, dict[int, int]] = {}
        self._storage_roots: dict[Address, bytes] = {}
        self._codes: dict[bytes, bytes] = {}
        self._warm: dict[object, bool] = {}
        self._originals: dict[tuple[Address, int], int] = {}
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []
        self._marks: dict[int, int] = {}
        self._mark_ids: Final = itertools.count()
        self._dirty_accounts: set[Address] = set()
        self._dirty_slots: dict[Address, set[int]] = {}

    # Sealing.

    def seal(self) -> tuple[bytes, dict[bytes, bytes]]:
        """Return the root of the state as it is now, and the trie nodes and code that are new."""
        added: dict[bytes, bytes] = {}
        for address, slots in self._dirty_slots.items():
            root = self._seal_storage(address, slots, added)
            account = self._account(address)
            if account is None and root == EMPTY_ROOT:
                continue
            account = account or Account()
            if account.storage_root != root:
                self._set(self._accounts, address, account._replace(storage_root=root))
                self._dirty_accounts.add(address)
        trie = Trie(self._nodes, self._root)
        for address in self._dirty_accounts:
            account = self._accounts[address]
            trie.put(keccak(address), b"" if account is None else account.encode())
            code = self._codes.get(account.code_hash) if account else None
            if code:
                added[keccak(code)] = code
        root, nodes = trie.seal()
        return root, added | nodes

    def _seal_storage(self, address: Address, slots: set[int], added: dict[bytes, bytes]) -> bytes:
        trie = Trie(self._nodes, self._storage_root(address))
        values = self._storage[address]
        for slot in slots:
            value = values.get(slot)
            if value is not None:
                encoded = rlp_encode(integer(value)) if value else b""
                trie.put(keccak(slot.to_bytes(32, "big")), encoded)
        root, nodes = trie.seal()
        added.update(nodes)
        self._set(self._storage_roots, address, root)
        return root

    def adopt(self, root: bytes) -> None:
        """Start from what was sealed as ``root``, whose nodes are kept by now."""
        self._root = root
        self._forget()

    def rollback(self) -> None:
        """Undo everything since the last ``adopt``."""
        self._unwind(0)
        self._forget()

    @contextmanager
    def scratch(self) -> Iterator[None]:
        """Undo, at the end, whatever the block does."""
        try:
            yield
        finally:
            self.rollback()

    def _forget(self) -> None:
        self._codes.clear()
        self._undo.clear()
        self._marks.clear()
        self._warm.clear()
        self._originals.clear()
        self._dirty_accounts.clear()
        self._dirty_slots.clear()

    # Reading and writing through the journal.

    def _set(self, mapping: dict[Any, Any], key: object, value: object) -> None:
        self._undo.append((mapping, key, mapping.get(key, _MISSING)))
        mapping[key] = value

    def _unwind(self, length: int) -> None:
        undo = self._undo
        while len(undo) > length:
            mapping, key, value = undo.pop()
            if value is _MISSING:
                mapping.pop(key, None)
            else:
                mapping[key] = value

    def _account(self, address: Address) -> Account | None:
        try:
            return self._accounts[address]
        except KeyError:
            encoded = Trie(self._nodes, self._root).get(keccak(address))
            account = Account.decode(encoded) if encoded else None
            self._accounts[address] = account
            return account

    def _write(self, address: Address, account: Account | None) -> None:
        self._dirty_accounts.add(address)
        self._set(self._accounts, address, account)

    def _storage_root(self, address: Address) -> bytes:
        root = self._storage_roots.get(address)
        if root is None:
            account = self._account(address)
            root = account.storage_root if account else EMPTY_ROOT
            self._storage_roots[address] = root
        return root

    def _slots(self, address: Address) -> dict[int, int]:
        slots = self._storage.get(address)
        if slots is None:
            self._storage_root(address)
            slots = self._storage[address] = {}
        return slots

    # The interface of py-evm: storage.

    def get_storage(self, address: Address, slot: int, from_journal: bool = True) -> int:  # noqa: FBT001, FBT002 - py-evm's signature
        """Return a slot's value; without the journal, its value when the transaction began."""
        if not from_journal and (address, slot) in self._originals:
            return self._originals[address, slot]
        slots = self._slots(address)
        value = slots.get(slot)
        if value is None:
            trie = Trie(self._nodes, self._storage_root(address))
            encoded = trie.get(keccak(slot.to_bytes(32, "big")))
            value = int.from_bytes(cast("bytes", rlp_decode(encoded)), "big") if encoded else 0
            slots[slot] = value
        return value

    def set_storage(self, address: Address, slot: int, value: int) -> None:
        """Set a slot."""
        current = self.get_storage(address, slot)
        self._originals.setdefault((address, slot), current)
        self._dirty_slots.setdefault(address, set()).add(slot)
        self._set(self._slots(address), slot, value)

    def delete_storage(self, address: Address) -> None:
        """Empty the storage of an account."""
        self._dirty_slots.setdefault(address, set())
        self._slots(address)
        self._set(self._storage, address, {})
        self._set(self._storage_roots, address, EMPTY_ROOT)

    def is_storage_warm(self, address: Address, slot: int) -> bool:
        """Tell whether the slot was accessed in this transaction (EIP-2929)."""
        return (address, slot) in self._warm

    def mark_storage_warm(self, address: Address, slot: int) -> None:
        """Remember that the slot was accessed in this transaction."""
        if (address, slot) not in self._warm:
            self._set(self._warm, (address, slot), True)  # noqa: FBT003 - a set that is journaled

    # The interface of py-evm: accounts.

    def get_balance(self, address: Address) -> int:
        """Return the money of an account, in wei."""
        account = self._account(address)
        return account.balance if account else 0

    def set_balance(self, address: Address, balance: int) -> None:
        """Set the money of an account, in wei."""
        self._write(address, (self._account(address) or Account())._replace(balance=balance))

    def get_nonce(self, address: Address) -> int:
        """Return the nonce of an account."""
        account = self._account(address)
        return account.nonce if account else 0

    def set_nonce(self, address: Address, nonce: int) -> None:
        """Set the nonce of an account."""
        self._write(address, (self._account(address) or Account())._replace(nonce=nonce))

    def increment_nonce(self, address: Address) -> None:
        """Add one to the nonce of an account."""
        self.set_nonce(address, self.get_nonce(address) + 1)

    def set_code(self, address: Address, code: bytes) -> None:
        """Set the code of an account."""
        code_hash = keccak(code)
        # Code is kept by hash: what a reverted transaction leaves here, nothing names.
        self._codes[code_hash] = code
        self._write(address, (self._account(address) or Account())._replace(code_hash=code_hash))

    def get_code(self, address: Address) -> bytes:
        """Return the code of an account."""
        code_hash = self.get_code_hash(address)
        if code_hash == EMPTY_CODE:
            return b""
        code = self._codes.get(code_hash)
        return self._nodes[code_hash] if code is None else code

    def get_code_hash(self, address: Address) -> Hash32:
        """Return the hash of the code of an account."""
        account = self._account(address)
        return Hash32(account.code_hash if account else EMPTY_CODE)

    def delete_code(self, address: Address) -> None:
        """Take the code from an account."""
        self._write(address, (self._account(address) or Account())._replace(code_hash=EMPTY_CODE))

    def account_has_code_or_nonce(self, address: Address) -> bool:
        """Tell whether a contract cannot be made at this address."""
        return self.get_nonce(address) != 0 or self.get_code_hash(address) != EMPTY_CODE

    def delete_account(self, address: Address) -> None:
        """Delete an account and its storage."""
        self.delete_storage(address)
        self._write(address, None)

    def account_exists(self, address: Address) -> bool:
        """Tell whether the account is in the state, be it empty."""
        return self._account(address) is not None

    def touch_account(self, address: Address) -> None:
        """Bring the account into the state."""
        self._write(address, self._account(address) or Account())

    def account_is_empty(self, address: Address) -> bool:
        """Tell whether the account is empty (EIP-161)."""
        return not self.account_has_code_or_nonce(address) and self.get_balance(address) == 0

    def is_address_warm(self, address: Address) -> bool:
        """Tell whether the account was accessed in this transaction (EIP-2929)."""
        return address in self._warm

    def mark_address_warm(self, address: Address) -> None:
        """Remember that the account was accessed in this transaction."""
        if address not in self._warm:
            self._set(self._warm, address, True)  # noqa: FBT003 - a set that is journaled

    # The interface of py-evm: the journal.

    @property
    def state_root(self) -> Hash32:
        """Root of the state that this one started from."""
        return Hash32(self._root)

    @state_root.setter
    def state_root(self, value: Hash32) -> None:
        # py-evm sets the root it read when it took a snapshot; within a block that never moves.
        self._root = value

    def has_root(self, state_root: bytes) -> bool:
        """Tell whether the state of ``state_root`` is kept."""
        return state_root in self._nodes

    def record(self) -> JournalDBCheckpoint:
        """Return a mark to return to."""
        mark = next(self._mark_ids)
        self._marks[mark] = len(self._undo)
        return JournalDBCheckpoint(mark)

    def discard(self, checkpoint: JournalDBCheckpoint) -> None:
        """Undo everything since the mark."""
        self._unwind(self._marks.pop(checkpoint))

    def commit(self, checkpoint: JournalDBCheckpoint) -> None:
        """Forget the mark."""
        del self._marks[checkpoint]

    def lock_changes(self) -> None:
        """Begin a transaction: what was accessed and what slots held before start anew."""
        self._warm = {}
        self._originals = {}

    def make_state_root(self) -> Hash32:
        """Return the root of the state as it is now."""
        return Hash32(self.seal()[0])

    def persist(self) -> MetaWitnessAPI:
        """Refuse: blocks are kept by ``seal`` and ``adopt``, never by py-evm."""
        raise AssertionError


class EngineState(VoisinState):
    """py-evm's state over ``FlatAccounts``."""

    def __init__(self, accounts: FlatAccounts, execution_context: ExecutionContextAPI) -> None:
        # The base class would build its own database here.
        self.execution_context = execution_context
        self._account_db = accounts
