from collections.abc import Callable
from typing import Any

import pytest
import rlp
from eth.vm.forks.prague.transactions import PragueTransactionBuilder
from eth_account import Account as Keys
from hypothesis import given, settings
from hypothesis import strategies as st

from devnet.engine.encoding import BadRlpError, integer, keccak, rlp_decode, rlp_encode
from devnet.engine.transactions import (
    BLOB,
    LEGACY,
    SET_CODE,
    Transaction,
    UndecodableTransactionError,
    UnrecoverableSenderError,
    decode,
)
from tests.unit.devnet.engine.support import CHAIN_ID, RICH, authorization, of, signed
from tests.unit.devnet.stock.support import carrying_blobs

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
UINT64 = (1 << 64) - 1

ADDRESSES = st.binary(min_size=20, max_size=20)
LISTS = st.lists(
    st.fixed_dictionaries(
        {
            "address": ADDRESSES.map(lambda address: "0x" + address.hex()),
            "storageKeys": st.lists(
                st.integers(0, (1 << 256) - 1).map(lambda slot: f"0x{slot:064x}"), max_size=3
            ),
        }
    ),
    max_size=3,
)
PRICES = {
    0: ("gasPrice",),
    1: ("gasPrice",),
    2: ("maxFeePerGas", "maxPriorityFeePerGas"),
    4: ("maxFeePerGas", "maxPriorityFeePerGas"),
}


@st.composite
def wishes(draw: st.DrawFn) -> dict[str, Any]:
    """Return the fields of a transaction that an account can sign."""
    kind = draw(st.sampled_from(sorted(PRICES)))
    price = st.sampled_from((0, 1, 127, 128, 10**9, (1 << 128) - 1))
    fields: dict[str, Any] = {
        "nonce": draw(st.sampled_from((0, 1, 127, 128, UINT64))),
        "gas": draw(st.sampled_from((21_000, 1 << 24, UINT64))),
        "value": draw(st.sampled_from((0, 1, 10**18, (1 << 256) - 1))),
        "data": draw(st.binary(max_size=70)),
        "chainId": draw(st.sampled_from((1, 1_337, 1 << 40))),
    } | {name: draw(price) for name in PRICES[kind]}
    if kind == SET_CODE or draw(st.booleans()):
        fields["to"] = draw(ADDRESSES)
    if kind:
        fields["accessList"] = draw(LISTS)
    if kind == SET_CODE:
        fields["authorizationList"] = [
            authorization(RICH, draw(ADDRESSES), nonce, chain_id)
            for nonce, chain_id in draw(
                st.lists(
                    st.tuples(st.integers(0, 300), st.sampled_from((0, 1, 1_337))),
                    min_size=1,
                    max_size=2,
                )
            )
        ]
    return fields


class TestDecode:
    @given(
        st.binary(min_size=32, max_size=32).filter(
            lambda key: 0 < int.from_bytes(key, "big") < ORDER
        ),
        wishes(),
    )
    @settings(deadline=None)
    def test_reads_what_an_account_signed(self, secret: bytes, fields: dict[str, Any]) -> None:
        account = Keys.from_key(secret)
        sent = account.sign_transaction(fields)
        found = decode(bytes(sent.raw_transaction))
        assert found.sender == of(account)
        assert (found.hash, found.raw) == (bytes(sent.hash), bytes(sent.raw_transaction))
        assert (found.v, found.r, found.s) == (sent.v, sent.r, sent.s)
        assert found.to == fields.get("to", b"")
        for name in ("nonce", "gas", "value", "data"):
            assert getattr(found, name) == fields[name]
        assert found.chain_id == fields["chainId"]
        slots = [
            (bytes.fromhex(entry["address"][2:]), tuple(int(k, 16) for k in entry["storageKeys"]))
            for entry in fields.get("accessList", ())
        ]
        assert list(found.access_list) == slots
        given = fields.get("authorizationList", ())
        assert [
            (one.chain_id, one.address, one.nonce, one.y_parity, one.r, one.s)
            for one in found.authorization_list
        ] == [
            (one.chain_id, bytes(one.address), one.nonce, one.y_parity, one.r, one.s)
            for one in given
        ]

    @given(wishes())
    @settings(deadline=None)
    def test_reads_what_py_evm_reads(self, fields: dict[str, Any]) -> None:
        raw = bytes(RICH.sign_transaction(fields).raw_transaction)
        self.compare(decode(raw), PragueTransactionBuilder().decode(raw))

    @pytest.mark.parametrize("count", [1, 6])
    def test_reads_blobs_as_py_evm_does(self, count: int) -> None:
        found = carrying_blobs(3, count)
        stock = PragueTransactionBuilder().decode(found.raw)
        self.compare(found, stock)
        assert found.type_id == BLOB
        assert found.max_fee_per_blob_gas == stock.max_fee_per_blob_gas == 1
        assert found.blob_versioned_hashes == tuple(stock.blob_versioned_hashes)

    def compare(self, found: Transaction, stock: Any) -> None:
        assert found.sender == stock.sender
        assert found.hash == stock.hash
        assert found.type_id == (stock.type_id or LEGACY)
        names = (
            *("nonce", "gas", "to", "value", "data", "r", "s", "y_parity", "chain_id"),
            *("max_priority_fee_per_gas", "max_fee_per_gas"),
        )
        for name in names:
            assert getattr(found, name) == getattr(stock, name), name
        assert found.access_list == tuple((a, tuple(slots)) for a, slots in stock.access_list)
        # py-evm counts init code's words when it runs, as we do.
        assert found.intrinsic_gas == stock.intrinsic_gas
        found.validate()

    def test_reads_a_legacy_transaction_that_names_no_chain(self) -> None:
        found = signed(
            RICH, 0, chainId=None, gasPrice=1, maxFeePerGas=None, maxPriorityFeePerGas=None
        )
        assert (found.type_id, found.chain_id, found.sender) == (LEGACY, None, of(RICH))
        assert found.v in (27, 28)
        assert found.gas_price == 1

    def test_believes_whoever_knows_the_sender(self) -> None:
        raw = signed(RICH, 0).raw
        assert decode(raw, b"\x42" * 20).sender == b"\x42" * 20


class TestTextsThatAreNoTransactions:
    @pytest.mark.parametrize(
        ("raw", "why"),
        [
            (b"", "typed transaction too short"),
            (b"\x00\xc0", "transaction type not supported"),
            (b"\x05\xc0", "transaction type not supported"),
            (b"\x7f", "transaction type not supported"),
            (b"\xc0", "rlp: wrong number of transaction fields"),
            (b"\x02\xc0", "rlp: wrong number of transaction fields"),
            (b"\x02\x80", "rlp: wrong number of transaction fields"),
        ],
    )
    def test_are_refused(self, raw: bytes, why: str) -> None:
        with pytest.raises(UndecodableTransactionError) as refused:
            decode(raw)
        assert str(refused.value) == why
        assert refused.value.code == "undecodable_transaction"

    @pytest.mark.parametrize("raw", [b"\x02", b"\xf9", b"\x02\xc1", b"\x02\xc0\xc0"])
    def test_are_refused_when_they_are_torn(self, raw: bytes) -> None:
        with pytest.raises(BadRlpError):
            decode(raw)

    @given(st.binary(max_size=40))
    @settings(deadline=None)
    def test_are_refused_by_name_whatever_they_are(self, raw: bytes) -> None:
        with pytest.raises((UndecodableTransactionError, BadRlpError, UnrecoverableSenderError)):
            decode(raw)

    @given(wishes(), st.data())
    @settings(deadline=None)
    def test_are_refused_or_somebody_elses_when_a_byte_is_changed(
        self, fields: dict[str, Any], data: st.DataObject
    ) -> None:
        raw = bytearray(RICH.sign_transaction(fields).raw_transaction)
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] ^= data.draw(st.integers(1, 255))
        try:
            found = decode(bytes(raw))
        except (UndecodableTransactionError, BadRlpError, UnrecoverableSenderError):
            return
        assert found.sender != of(RICH)


def changed(raw: bytes, change: Callable[[list[Any]], None]) -> bytes:
    """Return the transaction of type 0 to 4 with other fields, its signature as it was."""
    head = raw[:1] if raw[0] < 0xC0 else b""
    fields = rlp_decode(raw[len(head) :])
    assert isinstance(fields, list)
    change(fields)
    return head + rlp_encode(fields)


def setting(*places: int, to: Any) -> Callable[[list[Any]], None]:
    def change(fields: list[Any]) -> None:
        for place in places[:-1]:
            fields = fields[place]
        fields[places[-1]] = to

    return change


LISTED = [{"address": "0x" + "11" * 20, "storageKeys": ["0x" + "22" * 32]}]
DELEGATING = signed(
    RICH, 0, accessList=LISTED, authorizationList=[authorization(RICH, b"\x01" * 20, 1)]
).raw
LEGACY_RAW = signed(RICH, 0, gasPrice=0, maxFeePerGas=None, maxPriorityFeePerGas=None).raw
BLOBS_RAW = carrying_blobs(0, 1).raw


class TestFields:
    @pytest.mark.parametrize(
        ("raw", "change", "why"),
        [
            (DELEGATING, setting(1, to=b"\0\1"), "non-canonical integer (leading zero bytes)"),
            (DELEGATING, setting(1, to=b"\0"), "non-canonical integer (leading zero bytes)"),
            (DELEGATING, setting(1, to=b"\1" * 9), "input string too long for uint64"),
            (DELEGATING, setting(4, to=b"\1" * 9), "input string too long for uint64"),
            (DELEGATING, setting(6, to=b"\1" * 33), "input string too long for uint256"),
            (DELEGATING, setting(1, to=[]), "expected input string or byte"),
            (DELEGATING, setting(7, to=[b""]), "expected input string or byte"),
            (
                DELEGATING,
                setting(5, to=b"\1" * 19),
                "input string has the wrong length for common.Address",
            ),
            (DELEGATING, setting(8, to=b"\1"), "expected input list"),
            (DELEGATING, setting(8, 0, to=b"\1"), "expected input list"),
            (DELEGATING, setting(8, 0, to=[b"\1" * 20]), "too few elements for types.AccessTuple"),
            (
                DELEGATING,
                setting(8, 0, 0, to=b"\1"),
                "input string has the wrong length for common.Address",
            ),
            (
                DELEGATING,
                setting(8, 0, 1, to=[b"\1"]),
                "input string has the wrong length for common.Hash",
            ),
            (DELEGATING, setting(9, to=b"\1"), "expected input list"),
            (
                DELEGATING,
                setting(9, 0, to=[b"", b"\1" * 20]),
                "too few elements for types.SetCodeAuthorization",
            ),
            (
                DELEGATING,
                setting(9, 0, 1, to=b""),
                "input string has the wrong length for common.Address",
            ),
            (DELEGATING, setting(9, 0, 2, to=b"\1" * 9), "input string too long for uint64"),
            (DELEGATING, setting(9, 0, 4, to=b"\0"), "non-canonical integer (leading zero bytes)"),
            (LEGACY_RAW, setting(2, to=b"\1" * 9), "input string too long for uint64"),
            (LEGACY_RAW, setting(6, to=b"\0\x25"), "non-canonical integer (leading zero bytes)"),
            (
                BLOBS_RAW,
                setting(10, 0, to=b"\1"),
                "input string has the wrong length for common.Hash",
            ),
            (BLOBS_RAW, setting(10, to=b"\1"), "expected input list"),
        ],
    )
    def test_that_cannot_be_are_refused(
        self, raw: bytes, change: Callable[[list[Any]], None], why: str
    ) -> None:
        # With a sender that is known, so that only the fields can be wrong.
        text = changed(raw, change)
        with pytest.raises(BadRlpError) as refused:
            decode(text, of(RICH))
        assert str(refused.value) == f"rlp: {why}"

    def test_that_are_missing_or_too_many_are_refused(self) -> None:
        for raw in (DELEGATING, LEGACY_RAW, BLOBS_RAW):
            for change in (lambda fields: fields.pop(), lambda fields: fields.append(b"")):
                with pytest.raises(UndecodableTransactionError):
                    decode(changed(raw, change))


class TestSignatures:
    @pytest.mark.parametrize(
        ("parity", "r", "s"),
        [
            (2, 1, 1),
            (0, 0, 1),
            (0, 1, 0),
            (0, ORDER, 1),
            (0, 1, ORDER // 2 + 1),
            (0, 1, ORDER),
            (0, 5, 1),  # no point of the curve has this x
        ],
    )
    def test_that_no_key_can_have_made_are_refused(self, parity: int, r: int, s: int) -> None:
        def change(fields: list[Any]) -> None:
            fields[-3:] = map(integer, (parity, r, s))

        with pytest.raises(UnrecoverableSenderError) as refused:
            decode(changed(DELEGATING, change))
        assert refused.value.code == "unrecoverable_sender"

    def test_that_are_malleable_are_refused(self) -> None:
        found = decode(DELEGATING)

        def mirror(fields: list[Any]) -> None:
            fields[-3] = integer(1 - found.y_parity)
            fields[-1] = integer(ORDER - found.s)

        with pytest.raises(UnrecoverableSenderError):
            decode(changed(DELEGATING, mirror))

    @pytest.mark.parametrize("v", [0, 1, 26, 29, 34])
    def test_of_a_legacy_transaction_have_few_forms(self, v: int) -> None:
        with pytest.raises(UnrecoverableSenderError):
            decode(changed(LEGACY_RAW, setting(6, to=integer(v))))


class TestHash:
    def test_is_over_the_whole_text(self) -> None:
        for raw in (DELEGATING, LEGACY_RAW, BLOBS_RAW):
            assert decode(raw).hash == keccak(raw)

    def test_of_another_chain_is_another(self) -> None:
        assert signed(RICH, 0).hash != signed(RICH, 0, chainId=CHAIN_ID + 1).hash


def test_legacy_transactions_stand_in_a_block_as_lists() -> None:
    assert rlp.decode(LEGACY_RAW) == rlp_decode(LEGACY_RAW)
