"""
Records as the meters among the public ones write them, with one-time idTags, on both curves.

Each vendor's form is kept: order of the members, white space, numbers or padded texts, units, what
is left out, and what is added. Only the page, the idTag and the registers are drawn.
"""

import json
import random
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from devnet.field.keys import Curve
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_signatures import verify_record
from tests.contracts.support import (
    START_S,
    judge,
    known_key,
    record_text,
    sign_payload,
)

SEED = 20_251_014
ELAPSED_S = 36_000
ORDER = {
    Curve.SECP256K1: 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    Curve.SECP256R1: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
}
VENDORS = json.loads((Path(__file__).parent / "data" / "ocmf_vendors.json").read_text())


@dataclass(frozen=True)
class Drawn:
    """A record of a vendor, with the energy worked out in fractions."""

    payload: str
    tag: str
    page: int
    energy_wh: int


def drawn(draw: random.Random, vendor: str) -> Drawn:
    decimals = VENDORS[vendor]["decimals"]
    scale = Fraction(1_000 if VENDORS[vendor]["unit"] == "kWh" else 1, 10**decimals)
    begin = draw.randrange(int(10**9 / scale))
    end = begin + draw.randrange(int(200_000 / scale))
    tag, page = draw.randbytes(10).hex().upper(), draw.randrange(1, 10 ** draw.randrange(1, 9))
    shown = [f"{n // 10**decimals}.{n % 10**decimals:0{decimals}d}" for n in (begin, end)]
    shown = shown if decimals else [str(begin), str(end)]
    words = {"page": page, "tag": tag, "begin": shown[0], "end": shown[1]}
    return Drawn(VENDORS[vendor]["form"] % words, tag, page, int((end - begin) * scale // 1))


def signed(meter, payload: bytes, *, high: bool) -> bytes:
    """Sign as ``sign_payload`` does, with s above half of the order of the curve or below."""
    raw, order = sign_payload(meter, payload), ORDER[meter.curve]
    s = int.from_bytes(raw[32:64])
    if (s > order // 2) == high:
        return raw
    # On secp256k1 v follows, of which 27 and 28 change places; on P-256 the key.
    rest = raw[64:] if len(raw) > 65 else bytes([55 - raw[64]])
    return raw[:32] + (order - s).to_bytes(32) + rest


@pytest.mark.parametrize("high", [False, True], ids=["low s", "high s"])
@pytest.mark.parametrize("curve", ["k1", "r1"])
@pytest.mark.parametrize("vendor", VENDORS)
class TestRecordOfAVendor:
    def test_closes_the_session_of_its_tag_with_its_energy(self, world, vendor, curve, high):
        # A seed of text, not of its hash, is the same on each run.
        draw = random.Random(f"{SEED} {vendor} {curve} {high}")  # noqa: S311 - no secret
        meter = getattr(world, curve)
        for _ in range(5):
            one = drawn(draw, vendor)
            record = parse_record(record_text(meter, one.payload))
            verify_record(record, known_key(meter))
            terms = world.terms(
                one.tag, id_tag=one.tag, meter_id=meter.meter_id_hex, deposit_micros=100_000_000
            )
            found = judge(record, terms, elapsed_s=ELAPSED_S, power_w=22_000)
            assert (found.energy_wh, found.page) == (one.energy_wh, one.page)
            fork = world.fork(START_S)
            assert fork.open(terms).error is None
            fork.move_to(START_S + ELAPSED_S)
            closed = fork.close(terms, record.payload, signed(meter, record.payload, high=high))
            event = closed.event("SessionClosed")
            assert (event["energyWh"], event["page"]) == (one.energy_wh, one.page)
