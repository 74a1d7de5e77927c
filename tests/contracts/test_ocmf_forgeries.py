"""A record changed after its meter has signed it closes nothing, whatever was changed."""

import random

import pytest

from tests.contracts.ocmf_cases import payload_of
from tests.contracts.support import START_S, sign_payload
from tests.contracts.test_ocmf_agreement import mutated, shapes

SEED = 20_251_014
TAG = "TAG-OF-FORGERIES"
COUNT = 5_000


def changes_of_numbers(text: bytes):
    """Return ``text`` with each of its digits, in turn, one higher."""
    return [
        text[:at] + b"%d" % ((one - 0x2F) % 10) + text[at + 1 :]
        for at, one in enumerate(text)
        if 0x30 <= one <= 0x39
    ]


@pytest.mark.parametrize("curve", ["k1", "r1"])
class TestForgedRecord:
    @pytest.fixture
    def session(self, world, curve):
        """A session on a meter of the curve, opened half a day ago, and a way to close it."""
        meter = getattr(world, curve)
        terms = world.terms("forged", id_tag=TAG, meter_id=meter.meter_id_hex)
        fork = world.fork(START_S)
        assert fork.open(terms).error is None
        fork.move_to(START_S + 43_200)
        return meter, lambda payload, signature: fork.close(terms, payload, signature)

    def test_is_signed_by_nobody(self, session, curve):
        meter, close = session
        draw = random.Random(f"{SEED} {curve}")  # noqa: S311 - the same forgeries on each run
        records = [*shapes(), payload_of(tag=TAG), payload_of(tag=TAG, page=77)]
        signatures = {payload: sign_payload(meter, payload) for payload in records}
        genuine = payload_of(tag=TAG)
        forged = [(genuine, changed) for changed in changes_of_numbers(genuine)]
        while len(forged) < COUNT:
            payload = draw.choice(records)
            changed = mutated(draw, payload)
            if changed != payload:
                forged.append((payload, changed))
        for payload, changed in forged:
            assert close(changed, signatures[payload]).error == "ChargeVault_BadSignature", changed
        # What stood behind all of them closes: nothing else was in the way.
        assert close(genuine, signatures[genuine]).error is None

    def test_with_a_changed_signature_is_signed_by_nobody(self, session):
        meter, close = session
        payload = payload_of(tag=TAG)
        signature = sign_payload(meter, payload)
        for bit in range(8 * len(signature)):
            flipped = (int.from_bytes(signature) ^ 1 << bit).to_bytes(len(signature))
            assert close(payload, flipped).error == "ChargeVault_BadSignature", bit
        for length in range(len(signature)):
            error = close(payload, signature[:length]).error
            assert error == "ChargeVault_BadSignatureLength", length
        other = sign_payload(meter, payload_of(tag=TAG, page=2))
        assert close(payload, other).error == "ChargeVault_BadSignature"
        assert close(payload, signature).error is None
