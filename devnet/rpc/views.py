"""Write blocks, transactions, receipts and events as JSON-RPC shows them (execution-apis)."""

from typing import Any, Final, cast

import rlp  # type: ignore[import-untyped] # rlp ships no types
from eth.abc import BlockAPI, SignedTransactionAPI
from eth.constants import BLANK_ROOT_HASH, ZERO_HASH32
from eth.vm.forks.prague.blocks import PragueBlockHeader

from devnet.admission import type_of
from devnet.history import LogEntry, Mined

View = dict[str, Any]

_ACCESS_LIST_TYPE: Final = 1
_DYNAMIC_FEE_TYPE: Final = 2
_SET_CODE_TYPE: Final = 4
_BLOOM_LENGTH: Final = 256
_WORD: Final = 32


def quantity(number: int) -> str:
    """Write a number as 0x hex without leading zeros."""
    return hex(number)


def data(value: bytes) -> str:
    """Write bytes as 0x hex."""
    return "0x" + value.hex()


def block(found: BlockAPI, outcomes: tuple[Mined, ...], *, full: bool) -> View:
    """Write a block, with its transactions or with their hashes alone."""
    header = found.header
    return {
        "number": quantity(header.block_number),
        "hash": data(header.hash),
        "parentHash": data(header.parent_hash),
        "nonce": data(header.nonce),
        "sha3Uncles": data(header.uncles_hash),
        "logsBloom": _bloom(header.bloom),
        "transactionsRoot": data(header.transaction_root),
        "stateRoot": data(header.state_root),
        "receiptsRoot": data(header.receipt_root),
        "miner": _address(header.coinbase),
        "difficulty": quantity(header.difficulty),
        "extraData": data(header.extra_data),
        "size": quantity(len(rlp.encode(found))),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "timestamp": quantity(header.timestamp),
        "transactions": [
            transaction(one) if full else data(one.transaction.hash) for one in outcomes
        ],
        "uncles": [],
        "mixHash": data(header.mix_hash),
        "baseFeePerGas": quantity(header.base_fee_per_gas or 0),
        "withdrawals": [],
        "withdrawalsRoot": data(header.withdrawals_root or BLANK_ROOT_HASH),
        "blobGasUsed": quantity(header.blob_gas_used),
        "excessBlobGas": quantity(header.excess_blob_gas),
        "parentBeaconBlockRoot": data(header.parent_beacon_block_root or ZERO_HASH32),
        # py-evm has it on the Prague header alone, not in the interface.
        "requestsHash": data(cast("PragueBlockHeader", header).requests_hash),
    }


def transaction(mined: Mined) -> View:
    """Write a mined transaction."""
    sent = mined.transaction
    kind = type_of(sent)
    view: View = {
        "type": quantity(kind),
        "chainId": quantity(sent.chain_id or 0),
        "nonce": quantity(sent.nonce),
        "from": _address(sent.sender),
        "to": _address(sent.to) if sent.to else None,
        "gas": quantity(sent.gas),
        "gasPrice": quantity(effective_price(mined)),
        "value": quantity(sent.value),
        "input": data(sent.data),
        "r": quantity(sent.r),
        "s": quantity(sent.s),
        "v": quantity(int(getattr(sent, "v", sent.y_parity))),
        "hash": data(sent.hash),
        "blockHash": data(mined.block.hash),
        "blockNumber": quantity(mined.block.number),
        "transactionIndex": quantity(mined.index),
    }
    if kind >= _ACCESS_LIST_TYPE:
        view["yParity"] = quantity(sent.y_parity)
        view["accessList"] = [
            {"address": _address(where), "storageKeys": [_word(slot) for slot in slots]}
            for where, slots in sent.access_list
        ]
    if kind >= _DYNAMIC_FEE_TYPE:
        view["maxFeePerGas"] = quantity(sent.max_fee_per_gas)
        view["maxPriorityFeePerGas"] = quantity(sent.max_priority_fee_per_gas)
    if kind == _SET_CODE_TYPE:
        view["authorizationList"] = _authorizations(sent)
    return view


def receipt(mined: Mined) -> View:
    """Write the outcome of a transaction."""
    sent = mined.transaction
    created = mined.contract_address
    return {
        "type": quantity(type_of(sent)),
        "status": quantity(int(mined.succeeded)),
        "transactionHash": data(sent.hash),
        "transactionIndex": quantity(mined.index),
        "blockHash": data(mined.block.hash),
        "blockNumber": quantity(mined.block.number),
        "from": _address(sent.sender),
        "to": _address(sent.to) if sent.to else None,
        "contractAddress": None if created is None else _address(created),
        "gasUsed": quantity(mined.gas_used),
        "cumulativeGasUsed": quantity(mined.cumulative_gas_used),
        "effectiveGasPrice": quantity(effective_price(mined)),
        "logsBloom": _bloom(mined.bloom),
        "logs": [log(entry) for entry in mined.logs],
    }


def log(entry: LogEntry) -> View:
    """Write an event."""
    return {
        "address": _address(entry.address),
        "topics": [data(topic) for topic in entry.topics],
        "data": data(entry.data),
        "blockNumber": quantity(entry.block_number),
        "blockHash": data(entry.block_hash),
        "blockTimestamp": quantity(entry.block_timestamp_s),
        "transactionHash": data(entry.transaction_hash),
        "transactionIndex": quantity(entry.transaction_index),
        "logIndex": quantity(entry.log_index),
        "removed": False,
    }


def effective_price(mined: Mined) -> int:
    """Return what a unit of gas cost, in wei (EIP-1559)."""
    base = mined.block.header.base_fee_per_gas or 0
    sent = mined.transaction
    return min(sent.max_fee_per_gas, base + sent.max_priority_fee_per_gas)


def _authorizations(sent: SignedTransactionAPI) -> list[View]:
    return [
        {
            "chainId": quantity(one.chain_id),
            "address": _address(one.address),
            "nonce": quantity(one.nonce),
            "yParity": quantity(one.y_parity),
            "r": quantity(one.r),
            "s": quantity(one.s),
        }
        for one in sent.authorization_list
    ]


def _address(value: bytes) -> str:
    return data(value)


def _word(number: int) -> str:
    return data(number.to_bytes(_WORD, "big"))


def _bloom(number: int) -> str:
    return data(number.to_bytes(_BLOOM_LENGTH, "big"))
