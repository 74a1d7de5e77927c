"""Runs are packed as the contract takes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.chain.lanes import ENTRY_BYTES, DeltaTooLargeError, pack, unpack

MOST = 2**39 - 1
runs = st.dictionaries(st.integers(0, 2**26 - 1), st.integers(-MOST, MOST), max_size=40)


class TestPack:
    def test_puts_four_neighbours_into_one_entry(self):
        packed = pack({4: 1, 5: -1, 7: 0x01_02_03_04_05})
        assert packed == bytes.fromhex("000001 0000000001 ffffffffff 0000000000 0102030405")

    def test_leaves_out_what_does_not_move(self):
        assert pack({}) == pack({0: 0, 9: 0}) == b""
        assert pack({0: 0, 1: 3}) == pack({1: 3})

    @given(run=runs)
    def test_is_undone_by_unpack(self, run):
        assert unpack(pack(run)) == {lane: micros for lane, micros in run.items() if micros}

    @given(run=runs)
    def test_ascends_by_slot_and_has_no_empty_entry(self, run):
        packed = pack(run)
        entries = [packed[at : at + ENTRY_BYTES] for at in range(0, len(packed), ENTRY_BYTES)]
        slots = [int.from_bytes(one[:3]) for one in entries]
        assert slots == sorted(set(slots))
        assert all(len(one) == ENTRY_BYTES and any(one[3:]) for one in entries)

    @given(run=runs, order=st.randoms(use_true_random=False))
    def test_does_not_depend_on_the_order_of_accounts(self, run, order):
        shuffled = list(run.items())
        order.shuffle(shuffled)
        assert pack(dict(shuffled)) == pack(run)

    @pytest.mark.parametrize("micros", [MOST + 1, -MOST - 1, 2**63, -(2**63)])
    def test_refuses_what_does_not_fit(self, micros):
        with pytest.raises(DeltaTooLargeError, match="lane 3"):
            pack({3: micros})
        assert unpack(pack({3: MOST, 4: -MOST})) == {3: MOST, 4: -MOST}
