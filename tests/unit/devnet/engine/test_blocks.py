from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import rlp
from eth.rlp.logs import Log as StockLog
from eth.vm.forks.prague.blocks import PragueBlock, PragueBlockHeader
from eth.vm.forks.prague.receipts import PragueReceiptBuilder
from eth_bloom import BloomFilter
from hypothesis import given, settings
from hypothesis import strategies as st

from devnet.engine.blocks import (
    BLOOM_LENGTH,
    EMPTY_UNCLES,
    NO_REQUESTS,
    Block,
    Header,
    Log,
    Receipt,
    Withdrawal,
    bloom_of,
    decode_block,
    encode_block,
)
from devnet.engine.encoding import BadRlpError, keccak, rlp_decode, rlp_encode, rlp_items
from devnet.engine.transactions import UndecodableTransactionError, UnrecoverableSenderError
from devnet.engine.trie import root_of
from tests.unit.devnet.engine.support import GENESIS, OTHER, RICH, Chain, authorization, of, signed
from tests.unit.devnet.stock.support import carrying_blobs

CHAIN = Path(__file__).parents[3] / "integration/data/rpc-compat/chain.rlp"
HASHES = st.binary(min_size=32, max_size=32)
ADDRESSES = st.binary(min_size=20, max_size=20)
NUMBERS = st.sampled_from((0, 1, 127, 128, 1 << 40, (1 << 64) - 1))
LOGS = st.builds(
    Log,
    address=ADDRESSES,
    topics=st.lists(HASHES, max_size=4).map(tuple),
    data=st.binary(max_size=70),
)
LATER = (
    *("base_fee_per_gas", "withdrawals_root", "blob_gas_used", "excess_blob_gas"),
    *("parent_beacon_block_root", "requests_hash"),
)
HEADERS = st.builds(
    Header,
    parent_hash=HASHES,
    coinbase=ADDRESSES,
    state_root=HASHES,
    bloom=st.binary(min_size=256, max_size=256),
    difficulty=NUMBERS,
    block_number=NUMBERS,
    gas_limit=NUMBERS,
    gas_used=NUMBERS,
    timestamp=NUMBERS,
    extra_data=st.binary(max_size=32),
    mix_hash=HASHES,
    nonce=st.binary(min_size=8, max_size=8),
    base_fee_per_gas=NUMBERS,
    withdrawals_root=HASHES,
    blob_gas_used=NUMBERS,
    excess_blob_gas=NUMBERS,
    parent_beacon_block_root=HASHES,
    requests_hash=HASHES,
)


def known_blocks() -> list[bytes]:
    """Return the blocks of all forks that other clients made."""
    return rlp_items(CHAIN.read_bytes())


@pytest.fixture(scope="module")
def block() -> Block:
    """Return a block with a transaction of every type that the chain takes."""
    old = {"maxFeePerGas": None, "maxPriorityFeePerGas": None, "gasPrice": 0}
    delegation = authorization(OTHER, b"\x01" * 20, 0)
    return Chain().mine(
        [
            signed(RICH, 0, **old),
            signed(RICH, 1, **old, accessList=[]),
            signed(RICH, 2),
            signed(RICH, 3, authorizationList=[delegation]),
        ]
    )


class TestBlocksOfOthers:
    def test_are_written_as_they_were_read(self) -> None:
        raws = known_blocks()
        assert len(raws) > 40
        for raw in raws:
            found = decode_block(raw)
            written = encode_block(
                found.header.encode(), found.transactions, found.uncles, found.withdrawals
            )
            assert written == found.raw == raw
            assert found.size == len(raw)

    def test_follow_each_other(self) -> None:
        blocks = [decode_block(raw) for raw in known_blocks()]
        for before, after in pairwise(blocks):
            assert after.header.parent_hash == before.hash
            assert after.number == before.number + 1

    def test_are_what_their_headers_say(self) -> None:
        for raw in known_blocks():
            found = decode_block(raw)
            texts = [transaction.raw for transaction in found.transactions]
            assert root_of(texts) == found.header.transaction_root
            uncles = b"".join(uncle.encode() for uncle in found.uncles)
            if not uncles:
                assert found.header.uncles_hash == EMPTY_UNCLES
            if found.withdrawals is not None:
                paid = [withdrawal.encode() for withdrawal in found.withdrawals]
                assert root_of(paid) == found.header.withdrawals_root


class TestBlock:
    def test_is_read_as_it_was_built(self, block: Block) -> None:
        assert decode_block(block.raw) == block

    def test_is_what_py_evm_reads(self, block: Block) -> None:
        stock = rlp.decode(block.raw, sedes=PragueBlock)
        assert stock.hash == block.hash
        assert [one.hash for one in stock.transactions] == [one.hash for one in block.transactions]
        assert [one.sender for one in stock.transactions] == [of(RICH)] * 4
        assert stock.header.state_root == block.header.state_root

    def test_can_hold_blobs_uncles_and_withdrawals(self, block: Block) -> None:
        uncle, paid = block.header, Withdrawal(1, 2, b"\x33" * 20, 10**9)
        blobs = carrying_blobs(4, 2)
        raw = encode_block(block.header.encode(), (*block.transactions, blobs), (uncle,), (paid,))
        found = decode_block(raw)
        assert found.transactions == (*block.transactions, blobs)
        assert (found.uncles, found.withdrawals) == ((uncle,), (paid,))
        assert found.raw == raw

    def test_before_shanghai_has_no_withdrawals(self, block: Block) -> None:
        raw = encode_block(block.header.encode(), (), (), None)
        assert decode_block(raw).withdrawals is None
        assert len(rlp_decode(raw)) == 3

    def test_takes_senders_that_are_known(self, block: Block) -> None:
        found = decode_block(block.raw, {1: b"\x42" * 20})
        senders = [transaction.sender for transaction in found.transactions]
        assert senders == [of(RICH), b"\x42" * 20, of(RICH), of(RICH)]


class TestTextsThatAreNoBlocks:
    @pytest.mark.parametrize(
        "raw", ["", "80", "c3808080", "c401020304", "f8", "c2c0c0", "c5" + "c0" * 5]
    )
    def test_are_refused(self, raw: str) -> None:
        with pytest.raises(BadRlpError):
            decode_block(bytes.fromhex(raw))

    @pytest.mark.parametrize("count", [0, 14, 22])
    def test_have_too_few_or_too_many_fields(self, block: Block, count: int) -> None:
        header, *rest = rlp_decode(block.raw)
        with pytest.raises(BadRlpError, match="wrong fields of"):
            decode_block(rlp_encode([[*header, b"", b""][:count], *rest]))

    def test_have_a_list_in_the_header(self, block: Block) -> None:
        header, *rest = rlp_decode(block.raw)
        with pytest.raises(BadRlpError, match="wrong fields of"):
            decode_block(rlp_encode([[*header[:-1], []], *rest]))

    @pytest.mark.parametrize("paid", [b"", [b"", b"", b""], [b"", b"", b"", []]])
    def test_hold_what_is_no_withdrawal(self, block: Block, paid: bytes | list[Any]) -> None:
        header, *rest, _ = rlp_decode(block.raw)
        with pytest.raises(BadRlpError, match=r"types\.Withdrawal"):
            decode_block(rlp_encode([header, *rest, [paid]]))

    def test_hold_what_is_no_transaction(self, block: Block) -> None:
        header, transactions, *rest = rlp_decode(block.raw)
        with pytest.raises(UndecodableTransactionError):
            decode_block(rlp_encode([header, [b"\x09"], *rest]))
        unsigned = [*transactions[0][:-1], b""]
        with pytest.raises(UnrecoverableSenderError):
            decode_block(rlp_encode([header, [unsigned], *rest]))


class TestHeader:
    @given(HEADERS, st.integers(0, len(LATER)))
    @settings(deadline=None)
    def test_of_any_fork_is_read_as_it_was_written(self, header: Header, fields: int) -> None:
        kept = Header(
            **{name: getattr(header, name) for name in Header.__slots__ if name not in LATER},
            **{
                name: getattr(header, name) if at < fields else None
                for at, name in enumerate(LATER)
            },
        )
        text = rlp_decode(kept.encode())
        assert len(text) == 15 + fields
        assert Header.decode(text) == kept

    @given(HEADERS)
    @settings(deadline=None)
    def test_is_the_one_that_py_evm_writes(self, header: Header) -> None:
        read = rlp.decode(header.encode(), sedes=PragueBlockHeader)
        assert read.hash == keccak(header.encode())
        assert read.block_number == header.block_number
        assert read.requests_hash == header.requests_hash
        assert rlp.encode(read) == header.encode()

    def test_says_that_there_are_no_requests(self) -> None:
        assert (
            Header(
                parent_hash=bytes(32),
                state_root=bytes(32),
                block_number=0,
                gas_limit=1,
                timestamp=0,
            ).requests_hash
            == NO_REQUESTS
        )


class TestReceipt:
    @given(
        st.builds(
            Receipt,
            type_id=st.sampled_from((0, 1, 2, 3, 4)),
            status=st.sampled_from((0, 1)),
            state_root=st.none(),
            cumulative_gas_used=NUMBERS,
            bloom=st.binary(min_size=BLOOM_LENGTH, max_size=BLOOM_LENGTH),
            logs=st.lists(LOGS, max_size=3).map(tuple),
        )
    )
    @settings(deadline=None)
    def test_is_the_one_that_py_evm_writes(self, receipt: Receipt) -> None:
        encoded = receipt.encode()
        assert Receipt.decode(encoded) == receipt
        stock = PragueReceiptBuilder().decode(encoded)
        assert stock.encode() == encoded
        assert stock.gas_used == receipt.cumulative_gas_used
        assert [(log.address, log.data) for log in stock.logs] == [
            (log.address, log.data) for log in receipt.logs
        ]

    def test_before_byzantium_has_a_root_instead_of_an_outcome(self) -> None:
        receipt = Receipt(0, None, b"\x07" * 32, 21_000, bytes(BLOOM_LENGTH), ())
        assert Receipt.decode(receipt.encode()) == receipt


class TestBloom:
    @given(st.lists(LOGS, max_size=5).map(tuple))
    @settings(deadline=None)
    def test_is_the_one_of_py_evm(self, logs: tuple[Log, ...]) -> None:
        stock: list[Any] = [
            StockLog(log.address, [int.from_bytes(topic, "big") for topic in log.topics], log.data)
            for log in logs
        ]
        bits = int(BloomFilter.from_iterable(b for log in stock for b in log.bloomables))
        assert bloom_of(logs) == bits.to_bytes(BLOOM_LENGTH, "big")

    def test_of_nothing_is_empty(self) -> None:
        assert bloom_of(()) == bytes(BLOOM_LENGTH)


def test_the_first_block_is_empty() -> None:
    first = Chain().blocks[0]
    assert (first.number, first.transactions, first.header.timestamp) == (
        0,
        (),
        GENESIS.timestamp_s,
    )
