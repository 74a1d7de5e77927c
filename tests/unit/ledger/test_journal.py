"""An entry's bytes are fixed, say everything once, and commit to the entry before (law L7)."""

import dataclasses
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import accounts
from ledger.journal import GENESIS, Entry, fields_of, transfer_body
from ledger.transfers import Kind, Transfer

ENTRY = Entry(
    seq=2, at_s=1_557_100_800, name="transfer", trace_id="t", body=b"body", previous=GENESIS
)
TRANSFER = Transfer(
    id="a",
    kind=Kind.POST,
    debit=accounts.world(),
    credit=accounts.trade_balance("0x1"),
    amount=12,
    code="energy",
    trace_id="voisin/1/1",
    pending_id="hold",
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
entries = st.builds(
    Entry,
    st.integers(0, 2**63 - 1),
    st.integers(0, 2**63 - 1),
    texts,
    texts,
    st.binary(max_size=12),
    st.binary(min_size=32, max_size=32),
)
transfers = st.builds(
    Transfer,
    id=texts,
    kind=st.sampled_from(Kind),
    debit=texts,
    credit=texts,
    amount=st.integers(0, 2**63 - 1),
    code=texts,
    trace_id=texts,
    pending_id=st.none() | texts,
)


def prefixed(*fields):
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


class TestEntry:
    def test_has_these_bytes(self):
        assert ENTRY.leaf() == b"voisin-entry-1" + prefixed(
            (2).to_bytes(8, "big"),
            (1_557_100_800).to_bytes(8, "big"),
            b"transfer",
            b"t",
            b"body",
            hashlib.sha256(b"voisin-journal-1").digest(),
        )
        assert ENTRY.hash() == hashlib.sha256(ENTRY.leaf()).digest()

    @given(entries, entries)
    @settings(max_examples=150, deadline=None)
    def test_shares_its_bytes_with_no_other(self, one, other):
        assert (one.leaf() == other.leaf()) == (one == other)

    @given(st.binary(max_size=20), st.integers(0, 20))
    @settings(deadline=None)
    def test_cannot_move_bytes_from_one_field_to_the_next(self, whole, cut):
        at = min(cut, len(whole))
        one = dataclasses.replace(ENTRY, trace_id="x" * at, body=whole[at:])
        other = dataclasses.replace(ENTRY, trace_id="x" * (at + 1), body=whole[at + 1 :])
        assert one.leaf() != other.leaf()

    @pytest.mark.parametrize("field", ["seq", "at_s", "name", "trace_id", "body", "previous"])
    def test_changes_its_hash_with_every_field(self, field):
        value = getattr(ENTRY, field)
        changed = value + 1 if isinstance(value, int) else value[:-1] + value[:1] + value[:1]
        assert dataclasses.replace(ENTRY, **{field: changed}).hash() != ENTRY.hash()

    def test_breaks_the_chain_if_an_earlier_one_changes(self):
        def chain(*bodies):
            last = GENESIS
            for seq, body in enumerate(bodies):
                last = Entry(seq, 0, "record", "", body, last).hash()
            return last

        assert chain(b"a", b"b", b"c") != chain(b"x", b"b", b"c")
        assert chain(b"a", b"b", b"c") != chain(b"b", b"a", b"c")
        assert chain(b"a", b"b", b"c") != chain(b"a", b"b")


class TestTransferBody:
    def test_has_these_bytes(self):
        assert transfer_body(TRANSFER) == prefixed(
            b"a",
            b"post",
            b"eur/world",
            b"eur/trade-balance/0x1",
            b"12",
            b"energy",
            b"voisin/1/1",
            b"hold",
        )

    @given(transfers)
    @settings(max_examples=150, deadline=None)
    def test_is_read_back_field_by_field(self, transfer):
        assert fields_of(transfer_body(transfer)) == (
            transfer.id,
            transfer.kind.value,
            transfer.debit,
            transfer.credit,
            str(transfer.amount),
            transfer.code,
            transfer.trace_id,
            transfer.pending_id or "",
        )

    @pytest.mark.parametrize(
        "change",
        [
            {"id": "b"},
            {"kind": Kind.VOID},
            {"debit": "eur/other"},
            {"credit": "eur/other"},
            {"amount": 13},
            {"code": "toll"},
            {"trace_id": "voisin/1/2"},
            {"pending_id": None},
        ],
        ids=str,
    )
    def test_changes_with_every_field(self, change):
        assert transfer_body(dataclasses.replace(TRANSFER, **change)) != transfer_body(TRANSFER)
