"""
Be the state that py-evm's opcodes read and write: a few dictionaries over a base, and what to undo.

The base, the newest block or one of the past, is never written. What a block does lies in
dictionaries above it until it is taken as the block's changes; a state that is thrown away leaves
nothing behind.
"""

from typing import Any, Final, cast

from eth.abc import ExecutionContextAPI
from eth.typing import JournalDBCheckpoint
from eth_typing import Address, Hash32

from devnet.engine.encoding import keccak
from devnet.engine.world import EMPTY_CODE, NOBODY, Account, Base, Changes
from devnet.precompile import VoisinState

_MISSING: Final = object()
_ROOTLESS: Final = Hash32(b"")

_Mapping = dict[Any, Any]


class FlatState(VoisinState):
    """
    Accounts above a base, with a journal.

    Every write notes what it replaced; a snapshot is the journal's length. Accounts that EIP-161
    calls empty are not there at all: since the merge none can be in the state.
    """

    def __init__(self, base: Base, context: ExecutionContextAPI) -> None:
        """Begin with what ``base`` holds."""
        # The base class would build its own database here.
        self.execution_context = context
        self._base: Final = base
        self._accounts: Final[dict[bytes, Account | None]] = {}
        self._storage: Final[dict[bytes, dict[int, int]]] = {}
        self._codes: Final[dict[bytes, bytes]] = {}
        self._warm: _Mapping = {}
        self._originals: dict[tuple[bytes, int], int] = {}
        self._transient: _Mapping = {}
        self._undo: Final[list[tuple[_Mapping, Any, Any]]] = []

    def changes(self) -> Changes:
        """Return what was done so far, without what came out as it was."""
        base = self._base
        accounts = {
            address: account
            for address, account in self._accounts.items()
            if account != base.account(address)
        }
        storage = {
            address: changed
            for address, slots in self._storage.items()
            if (
                changed := {
                    slot: value
                    for slot, value in slots.items()
                    if value != base.slot(address, slot)
                }
            )
        }
        codes = tuple(
            self._codes[account.code_hash]
            for account in accounts.values()
            if account is not None and account.code_hash in self._codes
        )
        return Changes(accounts, storage, codes)

    # The journal.

    def _set(self, mapping: _Mapping, key: object, value: object) -> None:
        self._undo.append((mapping, key, mapping.get(key, _MISSING)))
        mapping[key] = value

    def snapshot(self) -> tuple[Hash32, JournalDBCheckpoint]:
        """Return a mark to go back to."""
        return _ROOTLESS, JournalDBCheckpoint(len(self._undo))

    def revert(self, snapshot: tuple[Hash32, JournalDBCheckpoint]) -> None:
        """Undo everything since the mark."""
        undo, length = self._undo, int(snapshot[1])
        while len(undo) > length:
            mapping, key, value = undo.pop()
            if value is _MISSING:
                del mapping[key]
            else:
                mapping[key] = value

    def commit(self, snapshot: tuple[Hash32, JournalDBCheckpoint]) -> None:
        """Do nothing: an older mark undoes what came after a newer one too."""

    def lock_changes(self) -> None:
        """Begin a transaction: what was accessed, originals and transient storage start anew."""
        self._undo.clear()
        self._warm = {}
        self._originals = {}
        self._transient = {}

    # Accounts.

    def _account(self, address: bytes) -> Account:
        account = self._accounts.get(address, _MISSING)
        if account is _MISSING:
            account = self._base.account(address)
        return cast("Account | None", account) or NOBODY

    def _write(self, address: bytes, account: Account) -> None:
        self._set(self._accounts, address, None if account == NOBODY else account)

    def get_balance(self, address: Address) -> int:
        """Return the coins of an account, in wei."""
        return self._account(address).balance

    def set_balance(self, address: Address, balance: int) -> None:
        """Set the coins of an account, in wei."""
        nonce, _, code_hash = self._account(address)
        self._write(address, Account(nonce, balance, code_hash))

    def delta_balance(self, address: Address, delta: int) -> None:
        """Add ``delta`` wei to the coins of an account."""
        if delta:
            nonce, balance, code_hash = self._account(address)
            self._write(address, Account(nonce, balance + delta, code_hash))

    def get_nonce(self, address: Address) -> int:
        """Return the nonce of an account."""
        return self._account(address).nonce

    def set_nonce(self, address: Address, nonce: int) -> None:
        """Set the nonce of an account."""
        _, balance, code_hash = self._account(address)
        self._write(address, Account(nonce, balance, code_hash))

    def increment_nonce(self, address: Address) -> None:
        """Add one to the nonce of an account."""
        nonce, balance, code_hash = self._account(address)
        self._write(address, Account(nonce + 1, balance, code_hash))

    def set_code(self, address: Address, code: bytes) -> None:
        """Set the code of an account."""
        code_hash = keccak(code)
        # Code is kept by hash: what a reverted transaction leaves here, nothing names.
        self._codes[code_hash] = code
        nonce, balance, _ = self._account(address)
        self._write(address, Account(nonce, balance, code_hash))

    def get_code(self, address: Address) -> bytes:
        """Return the code of an account."""
        code_hash = self._account(address).code_hash
        if code_hash == EMPTY_CODE:
            return b""
        code = self._codes.get(code_hash)
        return self._base.code(code_hash) if code is None else code

    def get_code_hash(self, address: Address) -> Hash32:
        """Return the hash of the code of an account."""
        return Hash32(self._account(address).code_hash)

    def delete_code(self, address: Address) -> None:
        """Take the code from an account."""
        nonce, balance, _ = self._account(address)
        self._write(address, Account(nonce, balance, EMPTY_CODE))

    def has_code_or_nonce(self, address: Address) -> bool:
        """Tell whether a contract cannot be made at this address."""
        account = self._account(address)
        return account.nonce != 0 or account.code_hash != EMPTY_CODE

    def delete_account(self, address: Address) -> None:
        """Delete an account and its storage."""
        self.delete_storage(address)
        self._set(self._accounts, address, None)

    def account_exists(self, address: Address) -> bool:
        """Tell whether the account is in the state."""
        return self._account(address) is not NOBODY

    def touch_account(self, address: Address) -> None:
        """Do nothing: an empty account would be cleared at the transaction's end."""

    def account_is_empty(self, address: Address) -> bool:
        """Tell whether the account is empty (EIP-161)."""
        return self._account(address) is NOBODY

    # Storage.

    def get_storage(self, address: Address, slot: int, from_journal: bool = True) -> int:  # noqa: FBT001, FBT002 - py-evm's signature
        """Return a slot's value; without the journal, its value when the transaction began."""
        if not from_journal:
            original = self._originals.get((address, slot))
            if original is not None:
                return original
        slots = self._storage.get(address)
        if slots is not None:
            value = slots.get(slot)
            if value is not None:
                return value
        return self._base.slot(address, slot)

    def set_storage(self, address: Address, slot: int, value: int) -> None:
        """Set a slot."""
        key = (address, slot)
        if key not in self._originals:
            self._originals[key] = self.get_storage(address, slot)
        slots = self._storage.get(address)
        if slots is None:
            slots = self._storage[address] = {}
        self._set(slots, slot, value)

    def delete_storage(self, address: Address) -> None:
        """
        Empty the storage of an account.

        Only a contract made in the same transaction can be deleted (EIP-6780), so everything that
        it stored lies above the base.
        """
        slots = self._storage.get(address)
        if slots:
            for slot in tuple(slots):
                self._set(slots, slot, 0)

    def get_transient_storage(self, address: Address, slot: int) -> bytes:
        """Return a transient slot, as py-evm's own state does (EIP-1153)."""
        return cast("bytes", self._transient.get((address, slot), b""))

    def set_transient_storage(self, address: Address, slot: int, value: bytes) -> None:
        """Set a transient slot."""
        self._set(self._transient, (address, slot), value)

    def clear_transient_storage(self) -> None:
        """Forget every transient slot."""
        self._transient = {}

    # What was accessed (EIP-2929).

    def is_storage_warm(self, address: Address, slot: int) -> bool:
        """Tell whether the slot was accessed in this transaction."""
        return (address, slot) in self._warm

    def mark_storage_warm(self, address: Address, slot: int) -> None:
        """Remember that the slot was accessed in this transaction."""
        key = (address, slot)
        if key not in self._warm:
            self._set(self._warm, key, None)

    def is_address_warm(self, address: Address) -> bool:
        """Tell whether the account was accessed in this transaction."""
        return address in self._warm or address in self.computation_class.get_precompiles()

    def mark_address_warm(self, address: Address) -> None:
        """Remember that the account was accessed in this transaction."""
        if address not in self._warm:
            self._set(self._warm, address, None)

    # What a flat state has not.

    @property
    def state_root(self) -> Hash32:
        """Return nothing: the root is computed once, by the world, when a block is sealed."""
        return _ROOTLESS

    def make_state_root(self) -> Hash32:
        """Return nothing, as ``state_root``."""
        return _ROOTLESS
