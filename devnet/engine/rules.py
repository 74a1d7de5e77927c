"""
Say which transactions may be executed, in geth's words and order.

py-evm does not check the chain id, lets a tip pass its cap, takes a gas limit below the floor of
EIP-7623 and lets contracts send; what is checked here is everything that a node owes its callers
before anything is executed.
"""

from typing import Final

from devnet.engine.blocks import Header
from devnet.engine.state import EMPTY_CODE, FlatAccounts
from devnet.engine.transactions import GAS_TRANSACTION, SET_CODE, Transaction
from ledger.errors import ChainError

GAS_CAP: Final = 2**24
"""Most gas of a transaction (EIP-7825)."""
SIZE_MAX: Final = 128 * 1024
"""Most bytes of a transaction, as geth's pool has it."""
INITCODE_MAX: Final = 49_152
"""Most bytes of code that makes a contract (EIP-3860)."""

_GAS_INITCODE_WORD: Final = 2
_GAS_FLOOR_TOKEN: Final = 10
_TOKENS_OTHER_BYTE: Final = 4
_NONCE_MAX: Final = 2**64 - 1
_DELEGATION: Final = bytes.fromhex("ef0100")


class RefusedTransactionError(ChainError):
    """The node does not take the transaction; the message is geth's."""

    def __init__(self, message: str) -> None:
        super().__init__("refused_transaction", message)


def least_gas(transaction: Transaction) -> int:
    """Return the gas that it costs before any code runs, code words of a creation included."""
    if transaction.to:
        return transaction.intrinsic_gas
    words = (len(transaction.data) + 31) // 32
    return transaction.intrinsic_gas + _GAS_INITCODE_WORD * words


def floor_gas(data: bytes) -> int:
    """Return the least gas that a transaction with ``data`` is charged (EIP-7623)."""
    zeros = data.count(0)
    tokens = zeros + _TOKENS_OTHER_BYTE * (len(data) - zeros)
    return GAS_TRANSACTION + _GAS_FLOOR_TOKEN * tokens


def check_alone(transaction: Transaction, chain_id: int) -> None:
    """
    Check what does not depend on the state.

    Raises
    ------
    RefusedTransactionError
        At the first rule that it breaks.
    """
    if len(transaction.raw) > SIZE_MAX:
        size = len(transaction.raw)
        raise RefusedTransactionError(f"oversized data: transaction size {size}, limit {SIZE_MAX}")
    if not transaction.to and len(transaction.data) > INITCODE_MAX:
        size = len(transaction.data)
        raise RefusedTransactionError(
            f"max initcode size exceeded: code size {size}, limit {INITCODE_MAX}"
        )
    if transaction.gas > GAS_CAP:
        raise RefusedTransactionError(
            f"transaction gas limit too high (cap: {GAS_CAP}, tx: {transaction.gas})"
        )
    if transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas:
        raise RefusedTransactionError("max priority fee per gas higher than max fee per gas")
    _check_signed_for(transaction, chain_id)
    if transaction.nonce == _NONCE_MAX:
        raise RefusedTransactionError("nonce has max value")
    _check_gas(transaction)
    if transaction.type_id == SET_CODE and not transaction.authorization_list:
        raise RefusedTransactionError("set code tx must have at least one authorization tuple")
    if transaction.type_id == SET_CODE and not transaction.to:
        raise RefusedTransactionError("input string too short for common.Address")


def _check_signed_for(transaction: Transaction, chain_id: int) -> None:
    if transaction.chain_id is None:
        raise RefusedTransactionError(
            "only replay-protected (EIP-155) transactions allowed over RPC"
        )
    if transaction.chain_id != chain_id:
        raise RefusedTransactionError(
            "invalid sender: invalid chain id for signer: "
            f"have {transaction.chain_id} want {chain_id}"
        )


def _check_gas(transaction: Transaction) -> None:
    least = least_gas(transaction)
    if transaction.gas < least:
        raise RefusedTransactionError(
            f"intrinsic gas too low: gas {transaction.gas}, minimum needed {least}"
        )
    floor = floor_gas(transaction.data)
    if transaction.gas < floor:
        raise RefusedTransactionError(
            "insufficient gas for floor data gas cost: "
            f"gas {transaction.gas}, minimum needed {floor}"
        )


def check_on(transaction: Transaction, accounts: FlatAccounts, header: Header) -> None:
    """
    Check what depends on the state that the transaction would be executed on.

    Parameters
    ----------
    header
        Of the block before.

    Raises
    ------
    RefusedTransactionError
        At the first rule that it breaks.
    """
    sender = transaction.sender
    if transaction.max_fee_per_gas < header.base_fee:
        raise RefusedTransactionError(
            f"max fee per gas less than block base fee: address 0x{sender.hex()}, "
            f"maxFeePerGas: {transaction.max_fee_per_gas}, baseFee: {header.base_fee}"
        )
    next_nonce = accounts.get_nonce(sender)
    if transaction.nonce < next_nonce:
        raise RefusedTransactionError(
            f"nonce too low: next nonce {next_nonce}, tx nonce {transaction.nonce}"
        )
    if transaction.nonce > next_nonce:
        raise RefusedTransactionError(
            f"nonce too high: tx nonce {transaction.nonce}, gapped nonce {next_nonce}"
        )
    balance = accounts.get_balance(sender)
    cost = transaction.gas * transaction.max_fee_per_gas + transaction.value
    if balance < cost:
        raise RefusedTransactionError(
            "insufficient funds for gas * price + value: "
            f"balance {balance}, tx cost {cost}, overshot {cost - balance}"
        )
    code_hash = accounts.get_code_hash(sender)
    if code_hash != EMPTY_CODE and not accounts.get_code(sender).startswith(_DELEGATION):
        raise RefusedTransactionError(
            f"sender not an eoa: address 0x{sender.hex()}, codehash: 0x{code_hash.hex()}"
        )
