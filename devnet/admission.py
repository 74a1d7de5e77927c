"""
Decide whether a signed transaction may enter a block, and say why not in geth's words.

py-evm executes some transactions that the protocol forbids: with another chain's number, with a gas
limit below the floor of EIP-7623, with a tip above the fee cap, from an account with code
(EIP-3607). They are refused here, before execution. The texts are geth's, because clients look for
them.
"""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

from eth.vm.forks.prague.constants import DELEGATION_DESIGNATION_PREFIX

from devnet.engine.encoding import BadRlpError, rlp_decode, rlp_encode
from devnet.engine.transactions import (
    BLOB,
    SET_CODE,
    Transaction,
    UndecodableTransactionError,
    UnrecoverableSenderError,
    decode,
)
from devnet.engine.world import Account
from ledger.errors import InvalidRequest

MAX_TRANSACTION_BYTES: Final = 131_072
"""Longest transaction, in bytes, as geth's pool has it."""

MAX_TRANSACTION_GAS: Final = 1 << 24
"""Most gas that one transaction may ask for, EIP-7825."""

_MAX_BLOB_BYTES: Final = 1_048_576  # as geth's blob pool has it
_HASHES_FIELD: Final = 10
_MAX_INITCODE_BYTES: Final = 49_152  # EIP-3860
_NONCE_MAX: Final = (1 << 64) - 1  # EIP-2681
_FIRST_TYPED_BYTE_ABOVE: Final = 0x7F
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
    UNDERPRICED_REPLACEMENT = "replacement transaction underpriced"
    POOL_FULL = "txpool is full"
    ACCOUNT_LIMIT = "account limit exceeded"
    DROPPED = "transaction was dropped from the pool"
    NO_AUTHORIZATION = "set code tx must have at least one authorization tuple"
    SET_CODE_CREATES = "set code tx must have a recipient"
    NONCE_MAX = "nonce has max value"
    NO_SIDECAR = "missing sidecar in blob transaction"
    SIDECAR_DIFFERS = "blob hashes do not belong to the sidecar"


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


def decode_transaction(raw: bytes, *, with_blobs: bool = False) -> Transaction:
    """
    Read a signed transaction from its network form (EIP-2718).

    Parameters
    ----------
    with_blobs
        Whether it may bring blobs, which a chain of this node's own cannot hold.

    Raises
    ------
    TransactionRefusedError
        If it is too long, of a type that this chain has not, or no transaction at all.
    """
    is_blob = with_blobs and raw[:1] == bytes((BLOB,))
    most = _MAX_BLOB_BYTES if is_blob else MAX_TRANSACTION_BYTES
    if len(raw) > most:
        limit = f"transaction size {len(raw)}, limit {most}"
        raise TransactionRefusedError(Refusal.OVERSIZED, limit)
    if is_blob:
        raw = _without_sidecar(raw)
    elif raw and raw[0] <= _FIRST_TYPED_BYTE_ABOVE and raw[0] not in (1, 2, SET_CODE):
        # Blobs (type 3) need a sidecar and a consensus layer, which this chain has not.
        raise TransactionRefusedError(Refusal.TYPE_NOT_SUPPORTED)
    try:
        return decode(raw)
    except UnrecoverableSenderError as error:
        raise TransactionRefusedError(Refusal.SENDER, "transaction v, r, s values") from error
    except (BadRlpError, UndecodableTransactionError) as error:
        raise TransactionRefusedError(Refusal.MALFORMED, str(error)) from error


def _without_sidecar(raw: bytes) -> bytes:
    """Return the part of a blob transaction that goes into a block (EIP-4844, EIP-7594)."""
    try:
        parts = rlp_decode(raw[1:])
        if not isinstance(parts, list) or not isinstance(parts[0], list):
            raise TransactionRefusedError(Refusal.NO_SIDECAR)
        fields, *_, blobs, commitments, _ = parts
        hashes = [b"\1" + sha256(one).digest()[1:] for one in commitments]
        if not len(blobs) == len(commitments) or hashes != fields[_HASHES_FIELD]:
            raise TransactionRefusedError(Refusal.SIDECAR_DIFFERS)
    except (BadRlpError, ValueError, IndexError, TypeError) as error:
        raise TransactionRefusedError(Refusal.MALFORMED, str(error)) from error
    return raw[:1] + rlp_encode(fields)


def check_stateless(transaction: Transaction, chain_id: int, block_gas: int) -> None:
    """
    Check what does not depend on the state of the chain.

    Raises
    ------
    TransactionRefusedError
        With the first rule that the transaction breaks.
    """
    _check_chain_id(transaction, chain_id)
    if transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas:
        fees = f"tip {transaction.max_priority_fee_per_gas}, cap {transaction.max_fee_per_gas}"
        raise TransactionRefusedError(Refusal.TIP_ABOVE_CAP, fees)
    if transaction.gas > MAX_TRANSACTION_GAS:
        caps = f"cap {MAX_TRANSACTION_GAS}, tx {transaction.gas}"
        raise TransactionRefusedError(Refusal.GAS_ABOVE_CAP, caps)
    # A block that used more than half of its limit would raise the base fee (EIP-1559).
    if transaction.gas > block_gas // 2:
        raise TransactionRefusedError(Refusal.GAS_ABOVE_BLOCK)
    if transaction.nonce == _NONCE_MAX:
        raise TransactionRefusedError(Refusal.NONCE_MAX)
    if transaction.type_id == SET_CODE and not transaction.authorization_list:
        raise TransactionRefusedError(Refusal.NO_AUTHORIZATION)
    if transaction.type_id == SET_CODE and not transaction.to:
        raise TransactionRefusedError(Refusal.SET_CODE_CREATES)
    _check_gas(transaction)


def check_state(transaction: Transaction, account: Account, code: bytes, base_fee: int) -> None:
    """
    Check the transaction against its sender's account in the newest state.

    Parameters
    ----------
    code
        The code of the account.
    base_fee
        What the next block burns, in wei per gas.

    Raises
    ------
    TransactionRefusedError
        With the first rule that the transaction breaks.
    """
    sender = transaction.sender
    if transaction.nonce < account.nonce:
        nonces = f"next nonce {account.nonce}, tx nonce {transaction.nonce}"
        raise TransactionRefusedError(Refusal.NONCE_LOW, nonces)
    if code and not code.startswith(DELEGATION_DESIGNATION_PREFIX):
        raise TransactionRefusedError(Refusal.SENDER_HAS_CODE, f"address 0x{sender.hex()}")
    if transaction.max_fee_per_gas < base_fee:
        fees = f"maxFeePerGas: {transaction.max_fee_per_gas}, baseFee: {base_fee}"
        raise TransactionRefusedError(Refusal.FEE_CAP_LOW, fees)
    cost = transaction.gas * transaction.max_fee_per_gas + transaction.value
    if account.balance < cost:
        sums = f"balance {account.balance}, tx cost {cost}, overshot {cost - account.balance}"
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


def _check_chain_id(transaction: Transaction, chain_id: int) -> None:
    if transaction.chain_id is None:
        raise TransactionRefusedError(Refusal.UNPROTECTED)
    if transaction.chain_id != chain_id:
        ids = f"have {transaction.chain_id} want {chain_id}"
        raise TransactionRefusedError(Refusal.CHAIN_ID, ids)


def _check_gas(transaction: Transaction) -> None:
    creates = not transaction.to
    if creates and len(transaction.data) > _MAX_INITCODE_BYTES:
        sizes = f"code size {len(transaction.data)}, limit {_MAX_INITCODE_BYTES}"
        raise TransactionRefusedError(Refusal.INITCODE, sizes)
    needs = gas_needs(
        transaction.data,
        creates=creates,
        access_list=tuple((address, len(slots)) for address, slots in transaction.access_list),
        authorizations=len(transaction.authorization_list),
    )
    if transaction.gas < needs.intrinsic:
        gas = f"gas {transaction.gas}, minimum needed {needs.intrinsic}"
        raise TransactionRefusedError(Refusal.INTRINSIC_GAS, gas)
    if transaction.gas < needs.floor:
        gas = f"gas {transaction.gas}, minimum needed {needs.floor}"
        raise TransactionRefusedError(Refusal.FLOOR_GAS, gas)
