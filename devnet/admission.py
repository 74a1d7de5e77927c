"""
Decide whether a signed transaction may enter a block, and say why not in geth's words.

py-evm executes some transactions that the protocol forbids: with another chain's number, with a gas
limit below the floor of EIP-7623, with a tip above the fee cap, from an account with code
(EIP-3607). They are refused here, before execution. The texts are geth's, because clients look for
them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from eth.abc import BlockHeaderAPI, SignedTransactionAPI, StateAPI
from eth.constants import CREATE_CONTRACT_ADDRESS, SECPK1_N
from eth.vm.forks.prague.constants import DELEGATION_DESIGNATION_PREFIX
from eth.vm.forks.prague.transactions import PragueTransactionBuilder
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException  # type: ignore[import-untyped] # rlp ships no types

from ledger.errors import InvalidRequest

MAX_TRANSACTION_BYTES: Final = 131_072
"""Longest transaction, in bytes, as geth's pool has it."""

MAX_TRANSACTION_GAS: Final = 1 << 24
"""Most gas that one transaction may ask for, EIP-7825."""

_MAX_INITCODE_BYTES: Final = 49_152  # EIP-3860
_SET_CODE_TYPE: Final = 4
_LEGACY_TYPE: Final = 0
_FIRST_TYPED_BYTE_ABOVE: Final = 0x7F
_FIRST_LIST_BYTE: Final = 0xC0
_EIP155_OFFSET: Final = 35
_WORD: Final = 32

# Yellow Paper, appendix G; EIP-2028, 2930, 3860, 7702; the floor is EIP-7623.
_BASE_GAS: Final = 21_000
_CREATE_GAS: Final = 32_000
_ZERO_BYTE_GAS: Final = 4
_OTHER_BYTE_GAS: Final = 16
_INITCODE_WORD_GAS: Final = 2
_ACCESS_ADDRESS_GAS: Final = 2_400
_ACCESS_SLOT_GAS: Final = 1_900
_AUTHORIZATION_GAS: Final = 25_000
_TOKENS_PER_OTHER_BYTE: Final = 4
_FLOOR_GAS_PER_TOKEN: Final = 10


class Refusal(StrEnum):
    """Why a transaction is refused; the values are geth's texts."""

    MALFORMED = "rlp: malformed transaction"
    TYPE_NOT_SUPPORTED = "transaction type not supported"
    OVERSIZED = "oversized data"
    UNPROTECTED = "only replay-protected (EIP-155) transactions allowed over RPC"
    CHAIN_ID = "invalid chain id for signer"
    SENDER = "invalid sender"
    KNOWN = "already known"
    NONCE_LOW = "nonce too low"
    NONCE_HIGH = "nonce too high"
    TIP_ABOVE_CAP = "max priority fee per gas higher than max fee per gas"
    FEE_CAP_LOW = "max fee per gas less than block base fee"
    INITCODE = "max initcode size exceeded"
    INTRINSIC_GAS = "intrinsic gas too low"
    FLOOR_GAS = "insufficient gas for floor data gas cost"
    GAS_ABOVE_CAP = "transaction gas limit too high"
    GAS_ABOVE_BLOCK = "exceeds block gas limit"
    SENDER_HAS_CODE = "sender not an eoa"
    FUNDS = "insufficient funds for gas * price + value"
    NOT_EXECUTABLE = "transaction cannot be executed"


class TransactionRefusedError(InvalidRequest):
    """A transaction did not enter the chain and left no trace."""

    def __init__(self, refusal: Refusal, detail: str = "") -> None:
        super().__init__("transaction_refused", f"{refusal}: {detail}" if detail else refusal)
        self.refusal: Final = refusal


@dataclass(frozen=True, slots=True)
class GasNeeds:
    """The least gas limits that the protocol takes for a transaction."""

    intrinsic: int
    """Gas charged before execution."""
    floor: int
    """Gas charged at least for the data, EIP-7623."""


def decode_transaction(raw: bytes) -> SignedTransactionAPI:
    """
    Read a signed transaction from its network form (EIP-2718).

    Raises
    ------
    TransactionRefusedError
        If it is too long, of a type that this chain has not, or no transaction at all.
    """
    if len(raw) > MAX_TRANSACTION_BYTES:
        limit = f"transaction size {len(raw)}, limit {MAX_TRANSACTION_BYTES}"
        raise TransactionRefusedError(Refusal.OVERSIZED, limit)
    if raw and raw[0] <= _FIRST_TYPED_BYTE_ABOVE and raw[0] not in (1, 2, _SET_CODE_TYPE):
        # Blobs (type 3) need a sidecar and a consensus layer, which this chain has not.
        raise TransactionRefusedError(Refusal.TYPE_NOT_SUPPORTED)
    if len(raw) <= 1 or _FIRST_TYPED_BYTE_ABOVE < raw[0] < _FIRST_LIST_BYTE:
        raise TransactionRefusedError(Refusal.MALFORMED)
    try:
        transaction = PragueTransactionBuilder.decode(raw)
        transaction.validate()
        canonical = transaction.encode()
    except (RLPException, ValidationError, TypeError, ValueError) as error:
        raise TransactionRefusedError(Refusal.MALFORMED, str(error)) from error
    if canonical != raw:
        raise TransactionRefusedError(Refusal.MALFORMED, "not canonical")
    return transaction


def check_stateless(transaction: SignedTransactionAPI, chain_id: int, block_gas: int) -> None:
    """
    Check what does not depend on the state of the chain.

    Raises
    ------
    TransactionRefusedError
        With the first rule that the transaction breaks.
    """
    _check_chain_id(transaction, chain_id)
    _check_signature(transaction)
    if transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas:
        fees = f"tip {transaction.max_priority_fee_per_gas}, cap {transaction.max_fee_per_gas}"
        raise TransactionRefusedError(Refusal.TIP_ABOVE_CAP, fees)
    if transaction.gas > MAX_TRANSACTION_GAS:
        caps = f"cap {MAX_TRANSACTION_GAS}, tx {transaction.gas}"
        raise TransactionRefusedError(Refusal.GAS_ABOVE_CAP, caps)
    if transaction.gas > block_gas:
        raise TransactionRefusedError(Refusal.GAS_ABOVE_BLOCK)
    _check_gas(transaction)


def check_state(transaction: SignedTransactionAPI, state: StateAPI, header: BlockHeaderAPI) -> None:
    """
    Check the transaction against the state on which its block would build.

    Parameters
    ----------
    header
        The header of the block to be, for its base fee.

    Raises
    ------
    TransactionRefusedError
        With the first rule that the transaction breaks.
    """
    sender = transaction.sender
    nonce = state.get_nonce(sender)
    if transaction.nonce != nonce:
        refusal = Refusal.NONCE_LOW if transaction.nonce < nonce else Refusal.NONCE_HIGH
        nonces = f"next nonce {nonce}, tx nonce {transaction.nonce}"
        raise TransactionRefusedError(refusal, nonces)
    code = state.get_code(sender)
    if code and not code.startswith(DELEGATION_DESIGNATION_PREFIX):
        raise TransactionRefusedError(Refusal.SENDER_HAS_CODE, f"address 0x{sender.hex()}")
    base_fee = header.base_fee_per_gas or 0
    if transaction.max_fee_per_gas < base_fee:
        fees = f"maxFeePerGas: {transaction.max_fee_per_gas}, baseFee: {base_fee}"
        raise TransactionRefusedError(Refusal.FEE_CAP_LOW, fees)
    cost = transaction.gas * transaction.max_fee_per_gas + transaction.value
    balance = state.get_balance(sender)
    if balance < cost:
        sums = f"balance {balance}, tx cost {cost}, overshot {cost - balance}"
        raise TransactionRefusedError(Refusal.FUNDS, sums)


def gas_needs(
    data: bytes, *, creates: bool, access_list: tuple[tuple[bytes, int], ...], authorizations: int
) -> GasNeeds:
    """
    Return the least gas limits for a transaction.

    Parameters
    ----------
    access_list
        Addresses with the number of their slots (EIP-2930).
    authorizations
        Number of authorizations (EIP-7702).
    """
    zeros = data.count(0)
    others = len(data) - zeros
    intrinsic = _BASE_GAS + zeros * _ZERO_BYTE_GAS + others * _OTHER_BYTE_GAS
    if creates:
        intrinsic += _CREATE_GAS + -(-len(data) // _WORD) * _INITCODE_WORD_GAS
    intrinsic += len(access_list) * _ACCESS_ADDRESS_GAS
    intrinsic += sum(slots for _, slots in access_list) * _ACCESS_SLOT_GAS
    intrinsic += authorizations * _AUTHORIZATION_GAS
    tokens = zeros + others * _TOKENS_PER_OTHER_BYTE
    return GasNeeds(intrinsic, _BASE_GAS + tokens * _FLOOR_GAS_PER_TOKEN)


def type_of(transaction: SignedTransactionAPI) -> int:
    """Return the EIP-2718 type of a transaction, 0 for a legacy one."""
    return transaction.type_id or _LEGACY_TYPE


def _check_chain_id(transaction: SignedTransactionAPI, chain_id: int) -> None:
    if type_of(transaction) == _LEGACY_TYPE and _legacy_v(transaction) < _EIP155_OFFSET:
        raise TransactionRefusedError(Refusal.UNPROTECTED)
    if transaction.chain_id != chain_id:
        ids = f"have {transaction.chain_id} want {chain_id}"
        raise TransactionRefusedError(Refusal.CHAIN_ID, ids)


def _legacy_v(transaction: SignedTransactionAPI) -> int:
    # SignedTransactionAPI has no v; legacy transactions do.
    return int(getattr(transaction, "v", 0))


def _check_signature(transaction: SignedTransactionAPI) -> None:
    # Low s only, EIP-2. Recovery fails by more than one kind of error in eth-keys.
    if not (0 < transaction.s <= SECPK1_N // 2 and 0 < transaction.r < SECPK1_N):
        raise TransactionRefusedError(Refusal.SENDER, "signature values out of range")
    try:
        transaction.check_signature_validity()
    except (ValidationError, BadSignature) as error:
        raise TransactionRefusedError(Refusal.SENDER, str(error)) from error


def _check_gas(transaction: SignedTransactionAPI) -> None:
    creates = transaction.to == CREATE_CONTRACT_ADDRESS
    if creates and len(transaction.data) > _MAX_INITCODE_BYTES:
        sizes = f"code size {len(transaction.data)}, limit {_MAX_INITCODE_BYTES}"
        raise TransactionRefusedError(Refusal.INITCODE, sizes)
    is_legacy = type_of(transaction) == _LEGACY_TYPE
    listed = () if is_legacy else tuple((a, len(s)) for a, s in transaction.access_list)
    is_set_code = type_of(transaction) == _SET_CODE_TYPE
    authorizations = len(transaction.authorization_list) if is_set_code else 0
    needs = gas_needs(
        transaction.data, creates=creates, access_list=listed, authorizations=authorizations
    )
    if transaction.gas < needs.intrinsic:
        gas = f"gas {transaction.gas}, minimum needed {needs.intrinsic}"
        raise TransactionRefusedError(Refusal.INTRINSIC_GAS, gas)
    if transaction.gas < needs.floor:
        gas = f"gas {transaction.gas}, minimum needed {needs.floor}"
        raise TransactionRefusedError(Refusal.FLOOR_GAS, gas)
