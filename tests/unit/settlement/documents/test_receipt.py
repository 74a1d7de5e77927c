"""A receipt says what was measured, what it cost, what came back, and never more than is so."""

from fractions import Fraction

import pytest

from settlement.charging.documents.facts import (
    Evidence,
    Finality,
    NotSettledError,
    Roof,
    Transaction,
)
from settlement.charging.documents.receipt import receipt
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_signatures import public_key_of, verify_record_der
from tests.unit.settlement.documents.samples import facts, money


class TestReceipt:
    def test_adds_up(self):
        found = receipt(facts())["money"]
        total = sum(int(one["gross_micros"]) for one in found["lines"])
        assert total == int(found["total_micros"]) == int(found["charge_micros"])
        assert int(found["charge_micros"]) + int(found["refund_micros"]) == 10_000_000
        assert found["vat"] == [{"vat_bp": 2_000, "net_micros": "6405124", "vat_micros": "1281025"}]
        assert found["display"] == {"total": "7.69", "charge": "7.69", "refund": "2.31"}

    @pytest.mark.parametrize("finality", list(Finality))
    def test_says_paid_only_when_it_is_final(self, finality):
        found = receipt(facts(settlement=Transaction("0x" + "02" * 32, 20, finality)))
        assert found["paid"] is (finality is Finality.FINAL)
        assert found["refund"]["finality"] == finality.value

    @pytest.mark.parametrize("state", ["opening", "open", "charging", "held", "refused"])
    def test_is_not_written_before_the_energy_is_billed(self, state):
        with pytest.raises(NotSettledError):
            receipt(facts(state=state))

    def test_shows_registers_as_the_meter_wrote_them(self):
        found = receipt(facts())["energy"]
        assert found["begin"]["register"] == "4430.127 kWh"
        assert found["end"]["time"] == "2017-05-08T16:30:00,000+0000 S"
        assert found["energy_kwh"] == "18.729"

    def test_carries_all_that_checks_the_signature(self):
        found = receipt(facts())
        key = public_key_of(found["meter"]["public_key_der"])
        verify_record_der(parse_record(found["record"]), key)

    def test_says_where_the_log_proves_it(self):
        assert receipt(facts())["log"][1] == {
            "transfer": "s/charge",
            "code": "charge",
            "entry": 9,
            "proof": "/log/proof/9",
        }

    @pytest.mark.parametrize(
        ("record", "energy", "signer"),
        [(True, 18_729, "meter"), (False, 18_729, "gateway"), (False, 0, None)],
    )
    def test_says_who_signed(self, record, energy, signer):
        kept = (
            facts().evidence if record else Evidence("0x" + "aa" * 32, "M1", None, None, None, None)
        )
        assert receipt(facts(evidence=kept, energy_wh=energy))["signed_by"] == signer

    def test_names_the_roofs_that_the_sun_came_from(self):
        roofs = (Roof("home-07", 2_100, ("0x1", "0x2")), Roof("home-03", 900, ("0x3",)))
        found = receipt(facts(sun_wh=Fraction(3_000), roofs=roofs))["sun"]
        assert found["energy_wh"] == "3000"
        assert found["roofs"][0] == {
            "party": "home-07",
            "energy_wh": 2_100,
            "energy_kwh": "2.1",
            "certificates": ["0x1", "0x2"],
        }
        assert sum(one["energy_wh"] for one in found["roofs"]) == 3_000

    def test_states_the_sun_only_if_it_is_known(self):
        assert receipt(facts())["sun"] is None
        found = receipt(facts(sun_wh=Fraction(18_729, 3)))["sun"]
        assert found == {"energy_wh": "6243", "share_bp": 3_333, "roofs": []}
        assert (
            receipt(facts(energy_wh=0, sun_wh=Fraction(0), money=money(charge=0, energy=0)))["sun"]
            is None
        )
