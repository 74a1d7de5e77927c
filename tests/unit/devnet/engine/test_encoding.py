from typing import Any

import pytest
import rlp
from hypothesis import given, settings
from hypothesis import strategies as st
from rlp.exceptions import RLPException

from devnet.engine.encoding import (
    BadRlpError,
    first_item,
    integer,
    joined_list,
    keccak,
    rlp_decode,
    rlp_encode,
    rlp_items,
)

# Around the lengths where the prefix changes.
TEXTS = st.one_of(
    st.binary(max_size=3),
    st.integers(53, 58).map(lambda length: b"\x80" * length),
    st.integers(254, 258).map(bytes),
)
ITEMS = st.recursive(TEXTS, lambda inner: st.lists(inner, max_size=5), max_leaves=30)
LISTS = st.lists(ITEMS, max_size=5)


class TestRlpEncode:
    @given(ITEMS)
    @settings(deadline=None)
    def test_writes_what_the_library_writes(self, item: Any) -> None:
        assert rlp_encode(item) == rlp.encode(item)

    @given(ITEMS)
    @settings(deadline=None)
    def test_takes_tuples_as_lists(self, item: Any) -> None:
        assert rlp_encode((item, item)) == rlp.encode([item, item])

    @pytest.mark.parametrize("length", [*range(60), 255, 256, 1_023, 1_024, 1_025])
    def test_writes_every_head_as_the_library_does(self, length: int) -> None:
        text, items = b"\x80" * length, [b"\x01"] * length
        assert rlp_encode(text) == rlp.encode(text)
        assert rlp_encode(items) == rlp.encode(items)

    def test_writes_lengths_of_three_bytes(self) -> None:
        long = bytes(70_000)
        assert rlp_encode([long, long]) == rlp.encode([long, long])


class TestRlpDecode:
    @given(ITEMS)
    @settings(deadline=None)
    def test_reads_what_was_written(self, item: Any) -> None:
        assert rlp_decode(rlp_encode(item)) == item

    @given(st.binary(max_size=12))
    @settings(deadline=None)
    def test_takes_and_refuses_what_the_library_does(self, text: bytes) -> None:
        self.compare(text)

    @given(ITEMS, st.data())
    @settings(deadline=None)
    def test_takes_and_refuses_damaged_text_as_the_library_does(
        self, item: Any, data: st.DataObject
    ) -> None:
        text = bytearray(rlp.encode(item))
        at = data.draw(st.integers(0, len(text) - 1))
        text[at] = data.draw(st.sampled_from((0, 1, 0x7F, 0x80, 0x81, 0xB8, 0xC0, 0xF8, 0xFF)))
        self.compare(bytes(text))
        self.compare(bytes(text[:at]))

    def compare(self, text: bytes) -> None:
        try:
            item = rlp.decode(text)
        except (RLPException, IndexError):
            with pytest.raises(BadRlpError):
                rlp_decode(text)
        else:
            assert rlp_decode(text) == item

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "value size exceeds available input length"),
            ("83aabb", "value size exceeds available input length"),
            ("c3aabb", "value size exceeds available input length"),
            ("8100", "non-canonical size information"),
            ("817f", "non-canonical size information"),
            ("b837" + "11" * 55, "non-canonical size information"),
            ("b90038" + "11" * 56, "non-canonical size information"),
            ("f837" + "11" * 55, "non-canonical size information"),
            ("b8", "non-canonical size information"),
            ("8080", "input contains more than one value"),
            ("c0c0", "input contains more than one value"),
        ],
    )
    def test_says_what_is_wrong(self, text: str, why: str) -> None:
        with pytest.raises(BadRlpError, match=f"^rlp: {why}$") as refused:
            rlp_decode(bytes.fromhex(text))
        assert refused.value.code == "bad_rlp"

    def test_goes_so_deep_and_no_deeper(self) -> None:
        nested = b"\xc0"
        for _ in range(63):
            nested = joined_list([nested])
        rlp_decode(nested)
        with pytest.raises(BadRlpError, match="too many nested lists"):
            rlp_decode(joined_list([nested]))


class TestParts:
    @given(st.lists(ITEMS, min_size=1, max_size=5))
    @settings(deadline=None)
    def test_the_first_item_is_found_without_the_others(self, items: list[Any]) -> None:
        assert first_item(rlp_encode(items)) == rlp_encode(items[0])

    @given(LISTS)
    @settings(deadline=None)
    def test_items_that_follow_each_other_are_told_apart(self, items: list[Any]) -> None:
        encoded = [rlp_encode(item) for item in items]
        assert rlp_items(b"".join(encoded)) == encoded

    @given(LISTS)
    @settings(deadline=None)
    def test_encoded_items_are_joined(self, items: list[Any]) -> None:
        assert joined_list([rlp_encode(item) for item in items]) == rlp_encode(items)

    def test_of_a_torn_sequence_are_refused(self) -> None:
        with pytest.raises(BadRlpError):
            rlp_items(b"\x01\x82\x01")


class TestInteger:
    @given(st.integers(0, (1 << 256) - 1))
    @settings(deadline=None)
    def test_has_no_leading_zeros(self, value: int) -> None:
        assert rlp_encode(integer(value)) == rlp.encode(value)

    def test_zero_is_nothing(self) -> None:
        assert integer(0) == b""


def test_keccak_is_not_the_sha3_of_nist() -> None:
    assert keccak(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
