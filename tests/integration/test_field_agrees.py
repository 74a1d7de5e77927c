"""Two implementations that share no code, the field's and settlement's, agree on the whole week."""

from collections import defaultdict
from dataclasses import replace

import pytest

from contracts.typed_data import Domain
from devnet.field.dataset import load_dataset
from devnet.field.drivers import Terms, deposit_micros, is_one_time_tag, tariff_fingerprint
from devnet.field.events import FeederReading, HomeReadings, SessionStops, SliceBoundary
from devnet.field.gateways import sign_feeder, sign_home
from devnet.field.keys import Curve, build_keys
from devnet.field.members import Validity, build_members, mandate_body
from devnet.field.misbehaving import readings as misbehave
from devnet.field.ocmf import OcmfMeter
from devnet.field.parameters import load_parameters
from devnet.field.schedule import build_schedule
from devnet.field.service import Places
from settlement.charging.records import ForeignRecordError, RecordContext, judge_record
from settlement.charging.slices import slice_of
from settlement.charging.terms import SessionTerms, id_tag_of, session_id
from settlement.metering import signatures
from settlement.metering.balance import FeederBalance, FeederDisagreesError, check_balance
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_signatures import signature_for_chain, verify_record
from settlement.metering.readings import Quality, Reading, Register
from settlement.metering.signatures import MeterKind, WrongSignerError, verify_reading
from settlement.metering.validation import RegisterWentBackError, check_continuity
from settlement.pricing.billing import deposit_for
from settlement.pricing.tariffs import Tariff
from settlement.trading.mandates import Band, Mandate, verify_mandate

WEEK, PARAMETERS = load_dataset(), load_parameters()
KEYS = build_keys(WEEK, PARAMETERS, seed=1)
SCHEDULE = build_schedule(WEEK, PARAMETERS, seed=1, days=7)
PLACES = Places(1_337, "0x" + "aa" * 20, "0x" + "bb" * 20, "0x" + "cc" * 20)
DOMAIN: Domain = PLACES.community_domain
TAG = id_tag_of(b"\x5a" * 32)
TARIFF = Tariff(
    tariff_id=PARAMETERS.tariff.id,
    currency=PARAMETERS.community.currency,
    price_micros_per_kwh=PARAMETERS.tariff.price,
    flat_micros=PARAMETERS.tariff.flat,
    vat_rate_bp=PARAMETERS.tariff.vat_bp,
)


def known(key, kind):
    """Return a meter's key as settlement knows it."""
    return signatures.MeterKey(
        curve=signatures.Curve(key.curve.name.lower()),
        public_key=key.public_key,
        kind=kind,
        rated_power_w=key.rated_power_w,
        valid_from_s=SCHEDULE.first_s,
        valid_until_s=SCHEDULE.end_s + 86_400,
    )


def received(signed):
    """Return a reading as settlement reads it."""
    document = signed.as_json()
    return Reading(
        meter_id=document["meter_id"],
        register=Register[document["register"].upper()],
        at_s=document["at_s"],
        sequence=document["sequence"],
        energy_wh=document["energy_wh"],
        quality=Quality[document["quality"].upper()],
    )


class TestRecords:
    def test_of_every_session_prove_its_energy_to_settlement(self):
        slices_wh, end_wh = defaultdict(int), {}
        meters = {name: OcmfMeter(key, name) for name, key in KEYS.stations.items()}
        for event in SCHEDULE.events:
            if not isinstance(event, (SliceBoundary, SessionStops)):
                continue
            key = known(KEYS.stations[event.station], MeterKind.STATION)
            fiscal = parse_record(meters[event.station].fiscal_record(event.slice, TAG))
            verify_record(fiscal, key)
            part = slice_of(fiscal, interval_s=3_600, id_tag=TAG)
            assert (part.page, part.energy_wh) == (event.slice.page, event.slice.energy_wh)
            assert (part.begin_s, part.end_s) == (event.slice.begin_s, event.slice.end_s)
            slices_wh[event.session] += part.energy_wh
            if isinstance(event, SessionStops):
                record = parse_record(meters[event.station].transaction_record(event, TAG))
                verify_record(record, key)
                context = RecordContext(
                    id_tag=TAG,
                    page_at_open=event.page - 1,
                    previous_end_wh=end_wh.get(event.station),
                    rated_power_w=key.rated_power_w,
                    opened_s=event.begin_s,
                    now_s=event.at_s,
                    slices_wh=slices_wh[event.session],
                )
                assert judge_record(record, context).energy_wh == event.energy_wh
                end_wh[event.station] = event.end_wh
        assert sum(slices_wh.values()) == 1_917_881

    @pytest.mark.parametrize(("curve", "length"), [(Curve.SECP256R1, 128), (Curve.SECP256K1, 65)])
    def test_carry_signatures_that_the_chain_can_take(self, curve, length):
        for stop in SCHEDULE.events:
            if isinstance(stop, SessionStops) and KEYS.stations[stop.station].curve is curve:
                key = KEYS.stations[stop.station]
                record = parse_record(OcmfMeter(key, stop.station).transaction_record(stop, TAG))
                raw = signature_for_chain(record, known(key, MeterKind.STATION))
                assert len(raw) == length

    def test_of_another_session_are_foreign(self):
        stop = next(event for event in SCHEDULE.events if isinstance(event, SessionStops))
        meter = OcmfMeter(KEYS.stations[stop.station], stop.station)
        record = parse_record(meter.transaction_record(stop, id_tag_of(b"\x5b" * 32)))
        context = RecordContext(
            id_tag=TAG,
            page_at_open=0,
            previous_end_wh=None,
            rated_power_w=PARAMETERS.station.rated_w,
            opened_s=stop.begin_s,
            now_s=stop.at_s,
            slices_wh=stop.energy_wh,
        )
        with pytest.raises(ForeignRecordError):
            judge_record(record, context)


class TestReadings:
    def test_of_the_week_verify_and_follow_one_another(self):
        last = {}
        for event in SCHEDULE.events:
            if isinstance(event, HomeReadings):
                mine, kind = KEYS.gateways[event.home], MeterKind.GATEWAY
                signed = sign_home(event, mine, DOMAIN)
            elif isinstance(event, FeederReading):
                mine, kind = KEYS.feeder_head, MeterKind.FEEDER_HEAD
                signed = sign_feeder(event, mine, DOMAIN)
            else:
                continue
            key = known(mine, kind)
            for one in signed:
                reading = received(one)
                verify_reading(DOMAIN, reading, one.signature, key)
                place = (reading.meter_id, reading.register)
                if place in last:
                    check_continuity(last[place], reading, key.rated_power_w)
                last[place] = reading
        assert len(last) == 17 * 3 + 2

    def test_that_are_wrong_are_refused_for_what_is_wrong(self):
        event = next(event for event in SCHEDULE.events if isinstance(event, HomeReadings))
        mine = KEYS.gateways[event.home]
        good, key = sign_home(event, mine, DOMAIN)[0], known(mine, MeterKind.GATEWAY)
        forged = misbehave.wrongly_signed(good, 1, DOMAIN)
        with pytest.raises(WrongSignerError):
            verify_reading(DOMAIN, received(forged), forged.signature, key)
        back = misbehave.running_backwards(good, mine, DOMAIN, by_wh=1)
        verify_reading(DOMAIN, received(back), back.signature, key)
        with pytest.raises(RegisterWentBackError):
            check_continuity(received(good), received(back), key.rated_power_w)


class TestTheFeederHead:
    @pytest.fixture
    def balances(self):
        """Return the balance of every hour, from registers and fiscal records alone."""
        homes, head, stations = {}, {}, defaultdict(int)
        for event in SCHEDULE.events:
            if isinstance(event, HomeReadings):
                homes[event.home, event.at_s] = event
            elif isinstance(event, FeederReading):
                head[event.at_s] = event
            elif isinstance(event, (SliceBoundary, SessionStops)):
                stations[event.slice.begin_s // 3_600 * 3_600] += event.slice.energy_wh
        found = []
        for start_s in range(SCHEDULE.first_s, SCHEDULE.end_s, 3_600):
            pairs = [(homes[h, start_s], homes[h, start_s + 3_600]) for h in WEEK.homes]
            before, now = head[start_s], head[start_s + 3_600]
            taken_wh = sum(after.import_wh - first.import_wh for first, after in pairs)
            found.append(
                FeederBalance(
                    exports_wh=sum(after.export_wh - first.export_wh for first, after in pairs),
                    imports_wh=taken_wh + stations[start_s],
                    head_import_wh=now.import_wh - before.import_wh,
                    head_export_wh=now.export_wh - before.export_wh,
                )
            )
        return found

    def test_balances_in_every_hour_within_the_declared_bound(self, balances):
        assert len(balances) == 168
        for balance in balances:
            check_balance(balance, PARAMETERS.grid.loss_bound_bp)
        assert sum(balance.losses_wh for balance in balances) > 0

    @pytest.mark.parametrize("by_wh", [-5_000, 5_000])
    def test_that_disagrees_is_found_out(self, balances, by_wh):
        wrong = replace(balances[40], head_import_wh=balances[40].head_import_wh + by_wh)
        with pytest.raises(FeederDisagreesError):
            check_balance(wrong, PARAMETERS.grid.loss_bound_bp)


class TestMoney:
    @pytest.mark.parametrize("stay", WEEK.stays[::10], ids=lambda stay: stay.station)
    def test_of_a_deposit_is_the_same_to_driver_and_service(self, stay):
        assert deposit_micros(stay.requested_wh, PARAMETERS) == deposit_for(
            stay.requested_wh, TARIFF
        )

    def test_has_one_tariff_fingerprint(self):
        assert tariff_fingerprint(PARAMETERS) == TARIFF.fingerprint

    def test_has_one_hash_of_the_terms(self):
        theirs = SessionTerms(
            driver=KEYS.drivers["driver-001"].address_hex,
            purse=3,
            operator=KEYS.operator.address_hex,
            meter_id=KEYS.stations["CA-314"].meter_id_hex,
            id_tag=TAG,
            price_micros_per_kwh=391_700,
            flat_micros=0,
            deposit_micros=8_560_000,
            tariff_fingerprint="0x" + TARIFF.fingerprint.hex(),
            deadline_s=1_494_358_693,
            salt="0x" + "5a" * 32,
        )
        mine = Terms(
            driver=theirs.driver,
            purse=3,
            operator=theirs.operator,
            meter_id=KEYS.stations["CA-314"].meter_id,
            id_tag=TAG,
            price_micros_per_kwh=391_700,
            flat_micros=0,
            deposit_micros=8_560_000,
            tariff_fingerprint=tariff_fingerprint(PARAMETERS),
            deadline_s=1_494_358_693,
            salt=b"\x5a" * 32,
        )
        assert mine.session_id == session_id(theirs)
        assert is_one_time_tag(TAG)


@pytest.mark.parametrize(
    "member", build_members(KEYS, PARAMETERS, seed=1), ids=lambda member: member.party
)
def test_mandates_are_accepted(member):
    body = mandate_body(member, PLACES, Validity(1, 2))
    mandate = Mandate(
        member=body["member"],
        bands=tuple(Band(**band) for band in body["bands"]),
        cap_micros=body["cap_micros"],
        valid_from_s=body["valid_from_s"],
        valid_until_s=body["valid_until_s"],
        nonce=body["nonce"],
    )
    verify_mandate(DOMAIN, mandate, bytes.fromhex(body["signature"][2:]))
