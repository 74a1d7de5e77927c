"""What the API hands over of a reading, and keeps of it as evidence."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from api.routes.readings import SignedReading
from settlement.metering.readings import Quality, Reading, Register

integers = st.integers(0, 2**63 - 1)


def hexes(size):
    return st.binary(min_size=size, max_size=size).map(lambda raw: "0x" + raw.hex())


bodies = st.fixed_dictionaries(
    {
        "meter_id": hexes(32),
        "register": st.sampled_from(["import", "export", "generation"]),
        "at_s": integers,
        "sequence": integers,
        "energy_wh": integers,
        "quality": st.sampled_from(["measured", "estimated"]),
        "signature": hexes(65),
    }
)
BODY = {
    "meter_id": "0x" + "4d" * 32,
    "register": "import",
    "at_s": 1,
    "sequence": 2,
    "energy_wh": 3,
    "quality": "measured",
    "signature": "0x" + "5e" * 65,
}


class TestSignedReading:
    @given(bodies)
    def test_keeps_the_fields_as_json_in_the_order_of_their_names(self, body):
        kept = SignedReading.model_validate(body).domain().body
        assert kept == json.dumps(body, sort_keys=True).encode()

    @given(bodies)
    def test_is_what_was_sent(self, body):
        assert SignedReading.model_validate(body).domain().reading == Reading(
            meter_id=body["meter_id"],
            register=Register[body["register"].upper()],
            at_s=body["at_s"],
            sequence=body["sequence"],
            energy_wh=body["energy_wh"],
            quality=Quality[body["quality"].upper()],
        )

    @pytest.mark.parametrize("name", ["meter_id", "signature", "register", "quality"])
    @pytest.mark.parametrize("tail", ['"', "\\", "\n", " ", "\u00e9"])
    def test_refuses_whatever_json_would_have_to_escape(self, name, tail):
        with pytest.raises(ValidationError):
            SignedReading.model_validate(BODY | {name: BODY[name] + tail})
        with pytest.raises(ValidationError):
            SignedReading.model_validate(BODY | {name: BODY[name][:-1] + tail})
