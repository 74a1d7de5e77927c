"""What a folder's readings become: gaps are flagged, signatures asked for, roofs known as sunny."""

import pytest

from api.market.reading.folder import read_folder
from contracts.typed_data import sign
from devnet.field.keys import Curve, Role, meter_key
from ledger.units import UnixSeconds, WattHours, Watts
from settlement.engine.batch.model import MeterKind
from settlement.engine.batch.running import settle_batch, span_of
from settlement.metering.readings import Quality, Reading, Register, reading_digest
from tests.unit.api.market.folders import COMMUNITY, METERS, READINGS, market_run, write

ROOF = "a-roof"
BEGIN_S = 1_780_308_000
KEY = meter_key(1, Role.GATEWAY, ROOF, Curve.SECP256K1, Watts(9_000))


def runs_of(folder):
    batch = read_folder(folder).batch
    return list(settle_batch(batch, span_of(batch)))


def test_a_missing_interval_is_flagged_and_the_next_one_counts(tmp_path):
    rows = ["10:00:00Z,100,0", "10:45:00Z,0,300"]
    readings = "meter,start,load_wh,pv_wh\n" + "".join(f"b-main,2026-06-01T{row}\n" for row in rows)
    meters = "meter,member,kind\nb-main,bo,main\n"
    runs = runs_of(write(tmp_path, meters=meters, readings=readings))
    of_bo = [one.inputs.members[1] for one in runs]
    assert [one.import_wh for one in of_bo] == [100, 0, 0, 0]
    assert [one.export_wh for one in of_bo] == [0, 0, 0, 300]
    assert [one.estimated for one in of_bo] == [False, True, True, False]


def test_only_who_has_a_roof_sells_sun_unless_the_folder_says_so(tmp_path):
    first, second = read_folder(write(tmp_path)).batch.community.members
    assert (first.solar, second.solar) == (True, False)
    said = COMMUNITY.replace('name = "bo"', 'name = "bo"\nsolar = true')
    assert read_folder(write(tmp_path, community=said)).batch.community.members[1].solar


def signed(folder, forged=0):
    """Write the folder with a key for the roof, and its readings signed."""
    domain = read_folder(write(folder)).batch.community.domain
    (meter,) = [one for one in read_folder(folder).batch.meters if one.kind is MeterKind.PV]
    header, *rows = READINGS.splitlines()
    lines = [f"{header},signature"]
    sequence = 0
    for row in rows:
        signature = ""
        if row.startswith(ROOF):
            energy = WattHours(int(row.rpartition(",")[2]) + forged)
            at_s = UnixSeconds(BEGIN_S + 900 * sequence)
            reading = Reading(
                meter.meter_id, Register.EXPORT, at_s, sequence, energy, Quality.MEASURED
            )
            signature = sign(reading_digest(domain, reading), KEY.private_key).hex()
            sequence += 1
        lines.append(f"{row},{signature}")
    header, roof, *others = METERS.splitlines()
    keyed = [f"{header},key", f"{roof},{KEY.public_key.hex()}", *(f"{one}," for one in others)]
    return write(folder, meters="\n".join(keyed) + "\n", readings="\n".join(lines) + "\n")


def test_signed_readings_are_taken(tmp_path):
    (run,) = runs_of(signed(tmp_path))
    signatures = [one.signature for one in run.evidence if one.signature]
    assert len(signatures) == 2


def test_a_reading_that_was_changed_is_refused(tmp_path):
    code, shown = market_run(signed(tmp_path, forged=1))
    assert code == 1
    assert shown.startswith("wrong_signer")


def test_a_meter_with_a_key_must_sign(tmp_path):
    folder = signed(tmp_path)
    (folder / "readings.csv").write_text(READINGS)
    code, shown = market_run(folder)
    assert code == 1
    assert "row 2, column signature: a-roof has a key, so it must sign" in shown


@pytest.mark.parametrize("signature", ["zz", "00" * 64])
def test_what_is_no_signature_is_named(tmp_path, signature):
    header, first, *rows = READINGS.splitlines()
    lines = [f"{header},signature", f"{first},{signature}", *(f"{row}," for row in rows)]
    code, shown = market_run(write(tmp_path, readings="\n".join(lines) + "\n"))
    assert code == 1
    assert "row 2, column signature:" in shown


def test_signed_readings_are_registers_not_intervals(tmp_path):
    folder = signed(tmp_path)
    (folder / "readings.csv").write_text(f"meter,start,wh\n{ROOF},2026-06-01T10:00:00Z,5\n")
    code, shown = market_run(folder)
    assert code == 1
    assert "signed readings are registers, not intervals" in shown
