"""Gateways: what they sign, how it is sent, and what comes back."""

import asyncio
import hashlib
import json
import time

import httpx2
import pytest

from contracts.typed_data import Domain, digest, keccak, signer_of
from devnet.field.dataset import load_dataset
from devnet.field.events import FeederReading, HomeReadings
from devnet.field.gateways import (
    READINGS_PATH,
    Quality,
    Reading,
    ReadingsNotTakenError,
    Register,
    post_readings,
    readings_body,
    sign_feeder,
    sign_home,
    sign_reading,
)
from devnet.field.keys import build_keys
from devnet.field.parameters import load_parameters
from devnet.field.schedule import build_schedule

WEEK, PARAMETERS = load_dataset(), load_parameters()
KEYS = build_keys(WEEK, PARAMETERS, seed=1)
SCHEDULE = build_schedule(WEEK, PARAMETERS, seed=1, days=7)
DOMAIN = Domain("Voisin", "1", 1_337, "0x" + "11" * 20)
HOME = next(event for event in SCHEDULE.events if isinstance(event, HomeReadings))
FEEDER = next(event for event in SCHEDULE.events if isinstance(event, FeederReading))


def by_hand(reading):
    """Return the EIP-712 digest of a reading, encoded word by word here."""
    type_hash = keccak(
        b"Reading(bytes32 meterId,uint8 register,uint64 at,uint64 sequence,"
        b"uint64 energyWh,uint8 quality)"
    )
    words = (reading.register, reading.at_s, reading.sequence, reading.energy_wh, reading.quality)
    struct = keccak(
        type_hash + reading.meter_id + b"".join(int(word).to_bytes(32) for word in words)
    )
    domain_type = keccak(
        b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    )
    separator = keccak(
        domain_type
        + keccak(b"Voisin")
        + keccak(b"1")
        + (1_337).to_bytes(32)
        + b"\x11".rjust(13, b"\0")
        + b"\x11" * 19
    )
    return keccak(b"\x19\x01" + separator + struct)


def address(key):
    return keccak(key.public_key)[12:]


class TestSigning:
    def test_a_home_signs_its_three_registers(self):
        signed = sign_home(HOME, KEYS.gateways[HOME.home], DOMAIN)
        assert [one.reading.register for one in signed] == list(Register)
        assert [one.reading.energy_wh for one in signed] == [
            HOME.import_wh, HOME.export_wh, HOME.generation_wh,
        ]  # fmt: skip
        assert {one.reading.quality for one in signed} == {Quality.MEASURED}

    def test_the_feeder_head_signs_its_two(self):
        signed = sign_feeder(FEEDER, KEYS.feeder_head, DOMAIN)
        assert [one.reading.register for one in signed] == [Register.IMPORT, Register.EXPORT]
        assert {one.reading.meter_id for one in signed} == {KEYS.feeder_head.meter_id}

    def test_is_by_the_key_of_the_meter_over_the_typed_data(self):
        key = KEYS.gateways[HOME.home]
        for signed in sign_home(HOME, key, DOMAIN):
            assert len(signed.signature) == 65
            assert signer_of(by_hand(signed.reading), signed.signature) == address(key)

    def test_binds_chain_and_community(self):
        key = KEYS.feeder_head
        reading = sign_feeder(FEEDER, key, DOMAIN)[0].reading
        elsewhere = Domain("Voisin", "1", 1_338, DOMAIN.verifying_contract)
        signature = sign_reading(reading, key, elsewhere).signature
        assert signer_of(by_hand(reading), signature) != address(key)

    def test_numbers_registers_and_qualities_as_decided(self):
        assert [(r.name, int(r)) for r in Register] == [
            ("IMPORT", 0), ("EXPORT", 1), ("GENERATION", 2),
        ]  # fmt: skip
        assert [(q.name, int(q)) for q in Quality] == [("MEASURED", 0), ("ESTIMATED", 1)]

    def test_of_the_whole_week_is_quick_and_never_differs(self):
        started_ns = time.process_time_ns()
        running, count = hashlib.sha256(), 0
        for event in SCHEDULE.events:
            if isinstance(event, HomeReadings):
                signed = sign_home(event, KEYS.gateways[event.home], DOMAIN)
            elif isinstance(event, FeederReading):
                signed = sign_feeder(event, KEYS.feeder_head, DOMAIN)
            else:
                continue
            count += len(signed)
            running.update(b"".join(one.signature for one in signed))
        # It takes 1.3 s of CPU; five leave room for a slower machine.
        assert time.process_time_ns() - started_ns < 5_000_000_000
        assert count == 17 * 169 * 3 + 169 * 2
        assert (
            running.hexdigest()
            == "3aa1fe0e5d7b07fcb06ba486f04ad2796115ef806d4f26c378ce1f85a59b815a"
        )


class TestAsJson:
    def test_is_what_the_api_takes(self):
        reading = Reading(b"\xab" * 32, Register.IMPORT, 1_494_230_400, 12, 123, Quality.ESTIMATED)
        signed = sign_reading(reading, KEYS.feeder_head, DOMAIN)
        assert signed.as_json() == {
            "meter_id": "0x" + "ab" * 32,
            "register": "import",
            "at_s": 1_494_230_400,
            "sequence": 12,
            "energy_wh": 123,
            "quality": "estimated",
            "signature": "0x" + signed.signature.hex(),
        }

    def test_of_several_is_one_batch(self):
        signed = sign_home(HOME, KEYS.gateways[HOME.home], DOMAIN)
        assert readings_body(signed) == {"readings": [one.as_json() for one in signed]}


def posted(answer):
    """Post two readings to a service that gives ``answer``; return the answers and the request."""
    seen = []

    def handle(request):
        seen.append(request)
        return answer

    async def run():
        transport = httpx2.MockTransport(handle)
        async with httpx2.AsyncClient(transport=transport, base_url="http://voisin") as client:
            return await post_readings(client, sign_feeder(FEEDER, KEYS.feeder_head, DOMAIN))

    return asyncio.run(run()), seen[0]


class TestPostReadings:
    def test_sends_the_batch_and_returns_an_answer_to_each(self):
        refused = {"status": "refused", "code": "register_backwards", "detail": "less than before"}
        answer = httpx2.Response(200, json={"readings": [{"status": "accepted"}, refused]})
        answers, request = posted(answer)
        assert request.url.path == READINGS_PATH
        assert json.loads(request.content) == readings_body(
            sign_feeder(FEEDER, KEYS.feeder_head, DOMAIN)
        )
        assert [one.status for one in answers] == ["accepted", "refused"]
        assert answers[1].code == "register_backwards"
        assert answers[0].code is None

    @pytest.mark.parametrize(
        "answer",
        [
            httpx2.Response(503, text="busy"),
            httpx2.Response(200, json={"readings": [{"status": "accepted"}]}),
            httpx2.Response(200, json={"readings": [{"status": "fine"}, {"status": "fine"}]}),
            httpx2.Response(200, json={}),
        ],
    )
    def test_raises_when_the_answer_is_none_to_these_readings(self, answer):
        with pytest.raises(ReadingsNotTakenError) as caught:
            posted(answer)
        assert caught.value.transient


def test_the_shared_typed_data_gives_the_digest_that_was_encoded_by_hand():
    reading = sign_home(HOME, KEYS.gateways[HOME.home], DOMAIN)[0].reading
    values = {
        "meterId": reading.meter_id,
        "register": 0,
        "at": reading.at_s,
        "sequence": reading.sequence,
        "energyWh": reading.energy_wh,
        "quality": 0,
    }
    assert digest(DOMAIN, "Reading", values) == by_hand(reading)
