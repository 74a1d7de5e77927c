"""Show the accounts that a transaction touched, in the form of geth's prestateTracer."""

from typing import Any, Final

from eth.abc import ComputationAPI, MessageAPI, StateAPI
from eth.vm import opcode_values as op
from eth.vm.forks.prague.constants import MAGIC
from eth.vm.forks.prague.transactions import Authorization
from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_typing import Address
from eth_utils.exceptions import ValidationError

from devnet.engine.encoding import integer, rlp_encode
from devnet.engine.executor import address_made_by
from devnet.engine.transactions import Transaction
from devnet.tracing.hooks import CREATES, Step, Tracer

_Account = dict[str, Any]
_NEVER_USED: Final = {"balance": 0, "nonce": 0, "code": b""}


class PrestateTracer(Tracer):
    """Remembers each account as it was when it was first touched."""

    def __init__(self, *, diff_mode: bool = False) -> None:
        """Begin with no account."""
        self._diff_mode = diff_mode
        self._before: dict[bytes, _Account] = {}
        self._slots: dict[bytes, dict[int, int]] = {}
        self._created: set[bytes] = set()
        self._deleted: set[bytes] = set()
        self._state: StateAPI | None = None
        self._result: dict[str, Any] = {}

    def begin(self, state: StateAPI, transaction: Transaction) -> None:
        """Remember who takes part in any case."""
        self._state = state
        sender, to = bytes(transaction.sender), bytes(transaction.to)
        if not to:
            to = address_made_by(sender, state.get_nonce(Address(sender)))
            self._created.add(to)
        for address in (sender, to, bytes(state.coinbase)):
            self._look_at(state, address)
        for authorization in transaction.authorization_list:
            authority = _authority(authorization)
            if authority is not None:
                self._look_at(state, authority)

    def before(self, step: Step) -> None:
        """Remember what the step touches."""
        slot, address, state = step.slot(), step.touched(), step.state
        if slot is not None:
            self._look_at(state, step.address)
            used = self._slots.setdefault(step.address, {})
            if slot not in used:
                used[slot] = state.get_storage(Address(step.address), slot)
        if address is not None:
            self._look_at(state, address)
        if step.opcode == op.SELFDESTRUCT:
            self._deleted.add(step.address)

    def enter(self, step: Step, message: MessageAPI) -> None:
        """Remember a contract that is about to be made."""
        if step.opcode in CREATES:
            self._look_at(step.state, bytes(message.storage_address))
            self._created.add(bytes(message.storage_address))

    def finish(self, _computation: ComputationAPI, _gas_used: int) -> None:
        """Compare with what the accounts are now."""
        if self._state is None:
            return
        before = {
            address: account | {"storage": self._slots.get(address, {})}
            for address, account in self._before.items()
            if not (address in self._created and account == _NEVER_USED)
        }
        if self._diff_mode:
            self._result = self._difference(self._state)
        else:
            self._result = _shown(before)

    def result(self) -> dict[str, Any]:
        """Return the accounts before the transaction; in diff mode, what it changed."""
        return self._result

    def _look_at(self, state: StateAPI, address: bytes) -> None:
        if address not in self._before:
            self._before[address] = _read(state, address)

    def _difference(self, state: StateAPI) -> dict[str, Any]:
        pre: dict[bytes, _Account] = {}
        post: dict[bytes, _Account] = {}
        for address, account in self._before.items():
            slots = self._slots.get(address, {})
            now = _read(state, address)
            if address in self._deleted and now == _NEVER_USED:
                pre[address] = account | {"storage": {k: v for k, v in slots.items() if v}}
                continue
            changed = {name: value for name, value in now.items() if value != account[name]}
            values = {slot: state.get_storage(Address(address), slot) for slot in slots}
            stored = {slot: values[slot] for slot in slots if values[slot] != slots[slot]}
            if not changed and not stored:
                continue
            if not (address in self._created and account == _NEVER_USED):
                was = {slot: slots[slot] for slot in stored if slots[slot]}
                pre[address] = account | {"storage": was}
            post[address] = changed | {"storage": {k: v for k, v in stored.items() if v}}
        return {"post": _shown(post), "pre": _shown(pre)}


def _read(state: StateAPI, address: bytes) -> _Account:
    account = Address(address)
    return {
        "balance": state.get_balance(account),
        "nonce": state.get_nonce(account),
        "code": bytes(state.get_code(account)),
    }


def _shown(accounts: dict[bytes, _Account]) -> dict[str, Any]:
    return {"0x" + address.hex(): _shown_account(one) for address, one in accounts.items()}


def _shown_account(account: _Account) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if "balance" in account:
        shown["balance"] = hex(account["balance"])
    if account.get("nonce"):
        shown["nonce"] = account["nonce"]
    if account.get("code"):
        shown["code"] = "0x" + account["code"].hex()
    if account.get("storage"):
        shown["storage"] = {
            f"0x{slot:064x}": f"0x{value:064x}" for slot, value in account["storage"].items()
        }
    return shown


def _authority(authorization: Authorization) -> bytes | None:
    """Return who signed the authorization; None if nobody did."""
    signed = rlp_encode(
        (integer(authorization.chain_id), authorization.address, integer(authorization.nonce))
    )
    try:
        signature = Signature(vrs=(authorization.y_parity, authorization.r, authorization.s))
        key = signature.recover_public_key_from_msg(MAGIC + signed)
    except (BadSignature, ValidationError):
        return None
    return bytes(key.to_canonical_address())
