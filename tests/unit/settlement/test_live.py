"""What a driver sees while charging is the bill to come, and a station is stopped in time."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.typed_data import address_of, keccak, sign
from settlement.charging.live import (
    Baseline,
    Deposit,
    Level,
    NotTheDriverError,
    Progress,
    advanced,
    check_stop,
    lasts_ms,
    standing,
    stop_reserve_micros,
    stop_text,
)
from settlement.charging.reports import MeterValue
from settlement.pricing.billing import bill
from settlement.pricing.tariffs import Tariff

BEGIN = Baseline(begin_wh=250_000, begin_s=1_000, rated_power_w=7_400)
PRICES = st.integers(0, 5_000_000)
POWERS = st.integers(0, 350_000)
LATENCIES = st.integers(0, 60_000)
DEPOSITS = st.integers(1, 10**9)
OWED = st.integers(0, 2 * 10**9)


def value(at_s, register_wh=None, power_w=None):
    return MeterValue(at_s, register_wh, power_w, "Sample.Periodic")


def deposit(micros=10_000_000, price=391_700, latency_ms=2_000):
    return Deposit(micros, price, latency_ms)


class TestStopReserve:
    def test_is_price_times_power_times_latency(self):
        assert stop_reserve_micros(500_000, 150_000, 1_000) == 20_834

    @given(PRICES, POWERS, LATENCIES)
    def test_covers_exactly_what_flows_and_not_a_micro_more(self, price, power, latency):
        exact = Fraction(price * power * latency, 1_000 * 3_600 * 1_000)
        assert exact <= stop_reserve_micros(price, power, latency) < exact + 1


class TestAdvanced:
    def test_counts_from_the_begin(self):
        assert advanced(BEGIN, None, value(1_600, 250_900, 5_400)) == Progress(1_600, 900, 5_400)

    def test_reckons_the_power_where_it_is_not_told(self):
        before = Progress(1_600, 900, 5_400)
        assert advanced(BEGIN, before, value(1_960, 251_500)) == Progress(1_960, 1_500, 6_000)

    def test_keeps_the_power_between_two_values_of_one_second(self):
        before = Progress(1_600, 900, 5_400)
        assert advanced(BEGIN, before, value(1_600, 250_901)) == Progress(1_600, 901, 5_400)

    def test_takes_a_power_alone(self):
        before = Progress(1_600, 900, 5_400)
        assert advanced(BEGIN, before, value(1_700, None, 0)) == Progress(1_600, 900, 0)
        assert advanced(BEGIN, None, value(1_700, None, 5)) is None

    @pytest.mark.parametrize(
        "bad",
        [
            value(1_700, 249_999),
            value(1_700, 250_800),
            value(1_599, 250_950),
            value(1_700, 909_948),
            value(1_700, 0),
            value(1_599, None, 7),
            value(1_700),
        ],
        ids=[
            "below the begin",
            "below the last",
            "older",
            "a lifetime's total after a placeholder",
            "a placeholder",
            "an older power",
            "nothing",
        ],
    )
    def test_passes_over_what_cannot_be(self, bad):
        before = Progress(1_600, 900, 5_400)
        assert advanced(BEGIN, before, bad) == before

    def test_passes_over_a_first_value_from_before_the_begin(self):
        assert advanced(BEGIN, None, value(999, 250_000)) is None

    @given(
        st.lists(st.tuples(st.integers(900, 90_000), st.integers(249_000, 500_000)), max_size=30)
    )
    def test_never_jumps_back_whatever_comes(self, told):
        progress = None
        for at_s, register_wh in told:
            now = advanced(BEGIN, progress, value(at_s, register_wh))
            if progress is not None:
                assert (now.at_s, now.energy_wh) >= (progress.at_s, progress.energy_wh)
                assert now.energy_wh >= progress.energy_wh
            progress = now
        if progress is not None:
            carried = 7_400 * (progress.at_s - BEGIN.begin_s) * 105
            assert progress.energy_wh * 3_600 * 100 <= carried


class TestStanding:
    @given(OWED, POWERS, DEPOSITS, PRICES, LATENCIES)
    def test_is_the_deposit_split_in_two(self, owed, power, micros, price, latency):
        stands = standing(owed, power, Deposit(micros, price, latency))
        assert stands.spent_micros + stands.back_micros == micros
        assert stands.spent_micros == min(owed, micros)
        assert 0 <= stands.spent_bp <= 10_000

    @given(st.integers(0, 10**6), st.integers(0, 5_000_000), st.integers(0, 10**7), DEPOSITS)
    def test_is_the_bill_if_it_ended_now(self, energy, price, flat, micros):
        tariff = Tariff("t", "EUR", price, flat, 2_000)
        money = bill(energy, tariff, micros)
        stands = standing(
            money.charge_micros + money.overrun_micros, 0, Deposit(micros, price, 2_000)
        )
        assert stands.spent_micros == money.charge_micros
        assert stands.back_micros == money.refund_micros

    def test_warns_at_80_percent(self):
        levels = [
            standing(owed, 0, deposit(1_000_000)).level for owed in (799_999, 800_000, 999_999)
        ]
        assert levels == [Level.CALM, Level.WARNED, Level.WARNED]

    def test_stops_when_what_still_flows_would_reach_the_deposit(self):
        one = deposit(1_000_000, price=500_000, latency_ms=1_000)
        reserve = stop_reserve_micros(500_000, 150_000, 1_000)
        assert standing(1_000_000 - reserve - 1, 150_000, one).level is Level.WARNED
        assert standing(1_000_000 - reserve, 150_000, one).level is Level.SPENT
        assert standing(1_000_000, 0, one).level is Level.SPENT


class TestLasts:
    @given(OWED, st.integers(1, 350_000), DEPOSITS, st.integers(1, 5_000_000), LATENCIES)
    def test_stopping_then_never_overruns_the_deposit(self, owed, power, micros, price, latency):
        one = Deposit(micros, price, latency)
        left_ms = lasts_ms(owed, power, one)
        flows = Fraction(price * power, 1_000 * 3_600 * 1_000)
        if left_ms:
            assert owed + flows * (left_ms + latency) <= micros
        else:
            # It is due within this millisecond.
            assert owed + stop_reserve_micros(price, power, latency) + flows > micros

    def test_is_endless_if_nothing_flows_or_it_is_free(self):
        assert lasts_ms(1, 0, deposit()) is None
        assert lasts_ms(1, 7_400, deposit(price=0)) is None


class TestStopText:
    KEY = bytes(31) + b"\x07"
    SESSION = "0x" + "5e" * 32

    def signed(self, text):
        raw = text.encode()
        return sign(keccak(b"\x19Ethereum Signed Message:\n%d" % len(raw) + raw), self.KEY)

    def driver(self):
        return "0x" + address_of(self.KEY).hex()

    def test_is_good_if_the_driver_signed_it(self):
        check_stop(self.SESSION, self.driver(), self.signed(stop_text(self.SESSION)))

    @pytest.mark.parametrize(
        ("session", "driver", "signature"),
        [
            ("0x" + "5f" * 32, None, None),
            (SESSION, "0x" + "11" * 20, None),
            (SESSION, None, bytes(65)),
            (SESSION, None, b"\xff" * 64 + b"\x1b"),
        ],
        ids=["of another session", "of somebody else", "of nobody", "of no key"],
    )
    def test_is_no_good_otherwise(self, session, driver, signature):
        signature = signature or self.signed(stop_text(self.SESSION))
        with pytest.raises(NotTheDriverError):
            check_stop(session, driver or self.driver(), signature)
