"""Write blocks, transactions, receipts and events as JSON-RPC shows them (execution-apis)."""

from collections.abc import Callable
from typing import Any, Final

from eth_utils.address import to_checksum_address

from devnet.engine.blocks import Block, Header, Withdrawal, encode_block
from devnet.engine.proof import Proof
from devnet.engine.transactions import BLOB, DYNAMIC_FEE, LEGACY, SET_CODE, Slots, Transaction
from devnet.store.history import LogEntry, Mined

View = dict[str, Any]

BLOB_GAS: Final = 131_072
"""Gas of one blob (EIP-4844)."""

_WORD: Final = 32


def quantity(number: int) -> str:
    """Write a number as 0x hex without leading zeros."""
    return hex(number)


def data(value: bytes) -> str:
    """Write bytes as 0x hex."""
    return "0x" + value.hex()


def word(number: int) -> str:
    """Write a number as 32 bytes of 0x hex."""
    return data(number.to_bytes(_WORD, "big"))


def checksum(address: bytes) -> str:
    """Write an address with the checksum of EIP-55."""
    return str(to_checksum_address(address))


def header(block_hash: bytes, found: Header) -> View:
    """Write a header; a field that its fork has not is not there."""
    view: View = {
        "number": quantity(found.block_number),
        "hash": data(block_hash),
        "parentHash": data(found.parent_hash),
        "nonce": data(found.nonce),
        "sha3Uncles": data(found.uncles_hash),
        "logsBloom": data(found.bloom),
        "transactionsRoot": data(found.transaction_root),
        "stateRoot": data(found.state_root),
        "receiptsRoot": data(found.receipt_root),
        "miner": data(found.coinbase),
        "difficulty": quantity(found.difficulty),
        "extraData": data(found.extra_data),
        "gasLimit": quantity(found.gas_limit),
        "gasUsed": quantity(found.gas_used),
        "timestamp": quantity(found.timestamp),
        "mixHash": data(found.mix_hash),
    }
    later: tuple[tuple[str, Any, Callable[[Any], str]], ...] = (
        ("baseFeePerGas", found.base_fee_per_gas, quantity),
        ("withdrawalsRoot", found.withdrawals_root, data),
        ("blobGasUsed", found.blob_gas_used, quantity),
        ("excessBlobGas", found.excess_blob_gas, quantity),
        ("parentBeaconBlockRoot", found.parent_beacon_block_root, data),
        ("requestsHash", found.requests_hash, data),
    )
    view.update({name: write(value) for name, value, write in later if value is not None})
    return view


def uncle(found: Header) -> View:
    """Write a header that stands beside the chain as the block that it would make alone."""
    view = header(found.hash, found)
    return view | {"size": quantity(len(encode_block(found.encode(), ()))), "uncles": []}


def block(found: Block, outcomes: tuple[Mined, ...], *, full: bool) -> View:
    """Write a block, with its transactions or with their hashes alone."""
    view = header(found.hash, found.header)
    view["size"] = quantity(found.size)
    view["uncles"] = [data(uncle.hash) for uncle in found.uncles]
    view["transactions"] = [
        transaction(one) if full else data(one.transaction.hash) for one in outcomes
    ]
    if found.withdrawals is not None:
        view["withdrawals"] = [_withdrawal(one) for one in found.withdrawals]
    return view


def transaction(mined: Mined) -> View:
    """Write a mined transaction."""
    view = pending(mined.transaction)
    view["gasPrice"] = quantity(effective_price(mined))
    view["blockHash"] = data(mined.block.hash)
    view["blockNumber"] = quantity(mined.block.number)
    view["blockTimestamp"] = quantity(mined.block.header.timestamp)
    view["transactionIndex"] = quantity(mined.index)
    return view


def pending(sent: Transaction) -> View:
    """Write a transaction that is in no block."""
    view: View = {
        "blockHash": None,
        "blockNumber": None,
        "blockTimestamp": None,
        "transactionIndex": None,
        "type": quantity(sent.type_id),
        "nonce": quantity(sent.nonce),
        "from": data(sent.sender),
        "to": data(sent.to) if sent.to else None,
        "gas": quantity(sent.gas),
        "gasPrice": quantity(sent.max_fee_per_gas),
        "value": quantity(sent.value),
        "input": data(sent.data),
        "r": quantity(sent.r),
        "s": quantity(sent.s),
        "v": quantity(sent.v),
        "hash": data(sent.hash),
    }
    if sent.chain_id is not None:
        view["chainId"] = quantity(sent.chain_id)
    if sent.type_id != LEGACY:
        view["yParity"] = quantity(sent.y_parity)
        view["accessList"] = access_list(sent.access_list)
    if sent.type_id >= DYNAMIC_FEE:
        view["maxFeePerGas"] = quantity(sent.max_fee_per_gas)
        view["maxPriorityFeePerGas"] = quantity(sent.max_priority_fee_per_gas)
    if sent.type_id == BLOB:
        view["maxFeePerBlobGas"] = quantity(sent.max_fee_per_blob_gas)
        view["blobVersionedHashes"] = [data(one) for one in sent.blob_versioned_hashes]
    if sent.type_id == SET_CODE:
        view["authorizationList"] = _authorizations(sent)
    return view


def filled(wanted: Transaction) -> View:
    """Write a transaction of type 2 that is ready to be signed."""
    where = ("blockHash", "blockNumber", "blockTimestamp", "transactionIndex", "hash", "gasPrice")
    return {name: value for name, value in pending(wanted).items() if name not in where}


def receipt(mined: Mined, blob_price: int | None = None) -> View:
    """
    Write the outcome of a transaction.

    Parameters
    ----------
    blob_price
        What blob gas cost in its block, in wei; for transactions with blobs.
    """
    sent = mined.transaction
    created = mined.contract_address
    view: View = {
        "type": quantity(sent.type_id),
        "transactionHash": data(sent.hash),
        "transactionIndex": quantity(mined.index),
        "blockHash": data(mined.block.hash),
        "blockNumber": quantity(mined.block.number),
        "from": data(sent.sender),
        "to": data(sent.to) if sent.to else None,
        "contractAddress": None if created is None else data(created),
        "gasUsed": quantity(mined.gas_used),
        "cumulativeGasUsed": quantity(mined.cumulative_gas_used),
        "effectiveGasPrice": quantity(effective_price(mined)),
        "logsBloom": data(mined.bloom),
        "logs": [log(entry) for entry in mined.logs],
    }
    if mined.receipt.state_root is not None:
        view["root"] = data(mined.receipt.state_root)
    else:
        view["status"] = quantity(int(mined.succeeded))
    if sent.type_id == BLOB and blob_price is not None:
        view["blobGasUsed"] = quantity(BLOB_GAS * len(sent.blob_versioned_hashes))
        view["blobGasPrice"] = quantity(blob_price)
    return view


def log(entry: LogEntry, *, removed: bool = False) -> View:
    """Write an event; ``removed`` says that its block is no longer part of the chain."""
    return {
        "address": data(entry.address),
        "topics": [data(topic) for topic in entry.topics],
        "data": data(entry.data),
        "blockNumber": quantity(entry.block_number),
        "blockHash": data(entry.block_hash),
        "blockTimestamp": quantity(entry.block_timestamp_s),
        "transactionHash": data(entry.transaction_hash),
        "transactionIndex": quantity(entry.transaction_index),
        "logIndex": quantity(entry.log_index),
        "removed": removed,
    }


def access_list(slots: Slots) -> list[View]:
    """Write an access list."""
    return [
        {"address": data(where), "storageKeys": [word(slot) for slot in named]}
        for where, named in slots
    ]


def proof(found: Proof, keys: tuple[str, ...]) -> View:
    """Write a proof; ``keys`` are the slots as they were asked for."""
    return {
        "address": data(found.address),
        "accountProof": [data(node) for node in found.account_proof],
        "balance": quantity(found.balance),
        "codeHash": data(found.code_hash),
        "nonce": quantity(found.nonce),
        "storageHash": data(found.storage_root),
        "storageProof": [
            {
                "key": key,
                "value": quantity(one.value),
                "proof": [data(node) for node in one.proof],
            }
            for key, one in zip(keys, found.storage, strict=True)
        ],
    }


def effective_price(mined: Mined) -> int:
    """Return what a unit of gas cost, in wei (EIP-1559)."""
    base = mined.block.header.base_fee_per_gas or 0
    sent = mined.transaction
    return min(sent.max_fee_per_gas, base + sent.max_priority_fee_per_gas)


def _authorizations(sent: Transaction) -> list[View]:
    return [
        {
            "chainId": quantity(one.chain_id),
            "address": data(one.address),
            "nonce": quantity(one.nonce),
            "yParity": quantity(one.y_parity),
            "r": quantity(one.r),
            "s": quantity(one.s),
        }
        for one in sent.authorization_list
    ]


def _withdrawal(one: Withdrawal) -> View:
    return {
        "index": quantity(one.index),
        "validatorIndex": quantity(one.validator_index),
        "address": data(one.address),
        "amount": quantity(one.amount),
    }
