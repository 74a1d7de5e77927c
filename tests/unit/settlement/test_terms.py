"""A session's id is the EIP-712 hash of its terms, the same that the contract computes."""

import dataclasses

import pytest
from Crypto.Hash import keccak
from eth_abi import encode
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.typed_data import TypedDataError
from settlement.charging.terms import SessionTerms, deadline_s, id_tag_of, session_id

FIELDS = (
    ("address", "driver"),
    ("uint32", "purse"),
    ("address", "operator"),
    ("bytes32", "meterId"),
    ("string", "idTag"),
    ("uint64", "priceMicrosPerKwh"),
    ("uint64", "flatMicros"),
    ("uint64", "depositMicros"),
    ("bytes32", "tariffFingerprint"),
    ("uint64", "deadline"),
    ("bytes32", "salt"),
)
TERMS = SessionTerms(
    driver="0x" + "d1" * 20,
    purse=0,
    operator="0x" + "0e" * 20,
    meter_id="0x" + "4d" * 32,
    id_tag="0123456789ABCDEF0123",
    price_micros_per_kwh=391_700,
    flat_micros=350_000,
    deposit_micros=20_000_000,
    tariff_fingerprint="0x" + "7f" * 32,
    deadline_s=1_557_200_000,
    salt="0x" + "5a" * 32,
)


def hashed(data):
    return keccak.new(digest_bits=256, data=data).digest()


def by_hand(terms):
    """What Solidity computes: ``keccak256(abi.encode(typeHash, ...))``, strings hashed."""
    listed = ",".join(f"{kind} {name}" for kind, name in FIELDS)
    values = list(dataclasses.astuple(terms))
    values[4] = hashed(values[4].encode())
    for index in (3, 8, 10):
        values[index] = bytes.fromhex(values[index][2:])
    kinds = ["bytes32", *(kind.replace("string", "bytes32") for kind, _ in FIELDS)]
    return hashed(encode(kinds, [hashed(f"SessionTerms({listed})".encode()), *values]))


def by_eth_account(terms):
    values = [
        bytes.fromhex(value[2:]) if kind == "bytes32" else value
        for (kind, _), value in zip(FIELDS, dataclasses.astuple(terms), strict=True)
    ]
    message = encode_typed_data(
        {"name": "unused"},
        {"SessionTerms": [{"type": kind, "name": name} for kind, name in FIELDS]},
        dict(zip((name for _, name in FIELDS), values, strict=True)),
    )
    return message.body


def hexed(size):
    return st.binary(min_size=size, max_size=size).map(lambda raw: "0x" + raw.hex())


amounts = st.integers(0, 2**64 - 1)
all_terms = st.builds(
    SessionTerms,
    hexed(20),
    st.integers(0, 2**32 - 1),
    hexed(20),
    hexed(32),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    amounts,
    amounts,
    amounts,
    hexed(32),
    amounts,
    hexed(32),
)


class TestSessionId:
    @given(all_terms)
    @settings(max_examples=80, deadline=None)
    def test_is_what_two_other_implementations_compute(self, terms):
        assert session_id(terms) == by_hand(terms) == by_eth_account(terms)

    @pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(SessionTerms)])
    def test_changes_with_every_field(self, field):
        value = getattr(TERMS, field)
        changed = value + 1 if isinstance(value, int) else value[:-1] + "c"
        assert session_id(dataclasses.replace(TERMS, **{field: changed})) != session_id(TERMS)

    @pytest.mark.parametrize(
        "change",
        [
            {"deposit_micros": 2**64},
            {"price_micros_per_kwh": -1},
            {"driver": "0x" + "d1" * 19},
            {"salt": "0x"},
            {"meter_id": "station 7"},
        ],
        ids=str,
    )
    def test_of_terms_that_the_contract_could_not_hold_is_refused(self, change):
        with pytest.raises(TypedDataError):
            session_id(dataclasses.replace(TERMS, **change))


class TestIdTag:
    @given(st.binary(min_size=32, max_size=32))
    @settings(deadline=None)
    def test_fits_the_oldest_stations(self, salt):
        tag = id_tag_of(salt)
        assert len(tag) == 20
        assert set(tag) <= set("0123456789ABCDEF")
        assert bytes.fromhex(tag) == salt[:10]


class TestDeadline:
    def test_leaves_time_to_stay_and_to_come_back_online(self):
        assert deadline_s(1_000, 86_400, 3_600) == 1_000 + 86_400 + 3_600
