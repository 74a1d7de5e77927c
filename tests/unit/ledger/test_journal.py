"""An entry's bytes are fixed, say everything once, and commit to the entry before (law L7)."""

import dataclasses
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import accounts
from ledger.journal import GENESIS, Entry, fields_of, group_hash, link, salt_of, transfer_body
from ledger.transfers import Kind, Transfer

ENTRY = Entry(
    seq=2,
    at_s=1_557_100_800,
    name="transfer",
    trace_id="t",
    body=b"body",
    previous=GENESIS,
    salt=bytes(range(16)),
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

lines = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=12)
entries = st.builds(
    Entry,
    st.integers(0, 2**63 - 1),
    st.integers(0, 2**63 - 1),
    lines,
    lines,
    st.binary(max_size=12),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=16, max_size=16),
)
transfers = st.builds(
    Transfer,
    id=lines,
    kind=st.sampled_from(Kind),
    debit=lines,
    credit=lines,
    amount=st.integers(0, 2**63 - 1),
    code=lines,
    trace_id=lines,
    pending_id=st.none() | lines,
    expires_s=st.none() | st.integers(0, 2**63 - 1),
)


class TestEntry:
    def test_has_these_bytes(self):
        previous = hashlib.sha256(b"voisin-journal-2").hexdigest()
        salt = "000102030405060708090a0b0c0d0e0f"
        text = f"voisin-entry-2\n2\n1557100800\n{previous}\n{salt}\ntransfer\nt\nbody"
        assert ENTRY.leaf() == text.encode()
        assert ENTRY.hash() == hashlib.sha256(b"\0" + text.encode()).digest()

    @given(entries, entries)
    @settings(max_examples=150, deadline=None)
    def test_shares_its_bytes_with_no_other(self, one, other):
        assert (one.leaf() == other.leaf()) == (one == other)

    @given(st.lists(st.tuples(lines, lines, st.binary(max_size=12)), max_size=5))
    @settings(deadline=None)
    def test_many_at_once_hash_as_one_by_one(self, records):
        previous, hashes = GENESIS, []
        for seq, record in enumerate(records, 7):
            previous = Entry(seq, 99, *record, previous, salt_of(b"seed", seq)).hash()
            hashes.append(previous)
        assert list(link((GENESIS, 7), b"seed", 99, records)) == hashes

    @pytest.mark.parametrize(
        "field", ["seq", "at_s", "name", "trace_id", "body", "previous", "salt"]
    )
    def test_changes_its_hash_with_every_field(self, field):
        value = getattr(ENTRY, field)
        changed = value + 1 if isinstance(value, int) else value[:-1] + value[:1] + value[:1]
        assert dataclasses.replace(ENTRY, **{field: changed}).hash() != ENTRY.hash()

    def test_breaks_the_chain_if_an_earlier_one_changes(self):
        def chain(*bodies):
            last = GENESIS
            for seq, body in enumerate(bodies):
                last = Entry(seq, 0, "record", "", body, last, bytes(16)).hash()
            return last

        assert chain(b"a", b"b", b"c") != chain(b"x", b"b", b"c")
        assert chain(b"a", b"b", b"c") != chain(b"b", b"a", b"c")
        assert chain(b"a", b"b", b"c") != chain(b"a", b"b")


class TestSalt:
    def test_is_the_seeds_alone_and_another_for_each_entry(self):
        assert salt_of(b"seed", 1) == hashlib.sha256(b"seed" + bytes(7) + b"\1").digest()[:16]
        assert len({salt_of(seed, seq) for seed in (b"a", b"b") for seq in range(9)}) == 18


class TestTransferBody:
    def test_has_these_bytes(self):
        lines = b"a post eur/world eur/trade-balance/0x1 12 energy voisin/1/1 hold  7".split(b" ")
        assert transfer_body(TRANSFER, 7) == b"\n".join(lines)

    @given(transfers)
    @settings(max_examples=150, deadline=None)
    def test_is_read_back_field_by_field(self, transfer):
        assert fields_of(transfer_body(transfer, 3)) == (
            transfer.id,
            transfer.kind.value,
            transfer.debit,
            transfer.credit,
            str(transfer.amount),
            transfer.code,
            transfer.trace_id,
            transfer.pending_id or "",
            "" if transfer.expires_s is None else str(transfer.expires_s),
            "3",
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
            {"expires_s": 0},
        ],
        ids=str,
    )
    def test_changes_with_every_field(self, change):
        changed = dataclasses.replace(TRANSFER, **change)
        assert transfer_body(changed, 0) != transfer_body(TRANSFER, 0)
        assert group_hash((changed,)) != group_hash((TRANSFER,))

    def test_changes_with_the_group_it_was_taken_in(self):
        assert transfer_body(TRANSFER, 0) != transfer_body(TRANSFER, 1)
