"""Frames are read strictly, and nested no deeper than any OCPP message."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.ocpp.frames import Call, MalformedFrameError, Version, read_frame

LEVELS = 64
OUTER = 2


def nested(levels):
    """Return a call whose array of arrays is ``levels`` deep, the frame and the payload counted."""
    inner = levels - OUTER
    return f'[2,"a","Heartbeat",{{"beside":[{{}},{{}}],"x":{"[" * inner}{"]" * inner}}}]'


def test_the_deepest_frame_is_read():
    assert isinstance(read_frame(nested(LEVELS), Version.V21), Call)


@pytest.mark.parametrize("levels", [LEVELS + 1, 300, 1_000])
def test_a_deeper_one_is_refused_by_its_id(levels):
    with pytest.raises(MalformedFrameError, match="nested deeper") as caught:
        read_frame(nested(levels), Version.V21)
    assert json.loads(caught.value.reply)[:3] == [4, "a", "FormatViolation"]


def test_a_wide_one_is_read():
    assert isinstance(
        read_frame(f'[2,"a","Heartbeat",{{"x":[{"{}," * 500}{{}}]}}]', Version.V16), Call
    )


@pytest.mark.parametrize("told", ["\\u0000", "\\\\u0000", "u0000", "\\"])
def test_a_backslash_before_u0000_is_plain_text(told):
    call = read_frame(json.dumps([2, "a", "Heartbeat", {"x": told}]), Version.V16)
    assert call.payload == {"x": told}


@pytest.mark.parametrize("told", ["\0", "a\0", "\\\0", "\\u0000\0"])
def test_the_character_nul_is_refused(told):
    with pytest.raises(MalformedFrameError, match="NUL"):
        read_frame(json.dumps([2, "a", "Heartbeat", {"x": told}]), Version.V16)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=3), inside),
    max_leaves=6,
)
NEARLY = st.tuples(
    st.sampled_from([2, 3, 4, 5, 6]) | ANYTHING,
    st.text(max_size=40) | ANYTHING,
    st.sampled_from(["Heartbeat", "Levitate"]) | ANYTHING,
    st.just({}) | ANYTHING,
).map(list)


@pytest.mark.parametrize("version", list(Version))
@given(document=ANYTHING | NEARLY | NEARLY.map(lambda items: items[:3]))
def test_anything_is_a_message_or_is_refused_in_a_frame_that_can_be_read(version, document):
    try:
        read_frame(json.dumps(document), version)
    except MalformedFrameError as fault:
        kind, _, code, description, details = json.loads(fault.reply)
        assert (kind, details) == (4, {})
        assert code
        assert len(description) <= 255


@pytest.mark.parametrize("version", list(Version))
@given(text=st.text())
def test_so_is_any_text(version, text):
    with pytest.raises(MalformedFrameError):
        read_frame(text, version)
