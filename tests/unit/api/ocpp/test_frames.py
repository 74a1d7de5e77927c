"""Frames are read strictly, and nested no deeper than any OCPP message."""

import json

import pytest

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
