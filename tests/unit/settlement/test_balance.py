"""The feeder head agrees with the meters behind it, within the declared losses (law L3)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.metering.balance import FeederBalance, FeederDisagreesError, check_balance

energies = st.integers(0, 10**7)


def losing(losses_wh, fed_in_wh=1_000):
    return FeederBalance(
        exports_wh=0,
        imports_wh=fed_in_wh - losses_wh,
        head_import_wh=fed_in_wh,
        head_export_wh=0,
    )


class TestFeederBalance:
    @given(energies, energies, energies, energies)
    @settings(deadline=None)
    def test_what_comes_in_goes_out_or_is_lost(self, exports, imports, head_in, head_out):
        balance = FeederBalance(exports, imports, head_in, head_out)
        assert balance.fed_in_wh == exports + head_in
        assert exports + head_in == imports + head_out + balance.losses_wh


class TestCheckBalance:
    @pytest.mark.parametrize(
        ("fed_in_wh", "bound_bp", "most_wh"),
        [
            (1_000, 300, 30),
            (1_000, 301, 31),
            (1, 1, 1),
            (9_999, 1, 1),
            (10_000, 1, 1),
            (10_001, 1, 2),
            (1_000, 0, 0),
            (0, 300, 0),
        ],
    )
    def test_takes_losses_up_to_the_bound_and_not_one_more(self, fed_in_wh, bound_bp, most_wh):
        check_balance(losing(most_wh, fed_in_wh), bound_bp)
        with pytest.raises(FeederDisagreesError, match=f"0 to {most_wh} Wh"):
            check_balance(losing(most_wh + 1, fed_in_wh), bound_bp)

    @pytest.mark.parametrize("bound_bp", [0, 300, 10_000])
    def test_refuses_a_single_watt_hour_from_nowhere(self, bound_bp):
        check_balance(losing(0), bound_bp)
        with pytest.raises(FeederDisagreesError) as caught:
            check_balance(losing(-1), bound_bp)
        assert caught.value.code == "feeder_disagrees"

    def test_counts_what_members_gave_as_fed_in(self):
        sunny = FeederBalance(
            exports_wh=900, imports_wh=170, head_import_wh=100, head_export_wh=800
        )
        check_balance(sunny, 300)
        with pytest.raises(FeederDisagreesError, match="losses are 30 Wh"):
            check_balance(sunny, 290)

    @given(energies, energies, energies, energies, st.integers(0, 10_000))
    @settings(deadline=None)
    def test_decides_like_exact_fractions(self, exports, imports, head_in, head_out, bound_bp):
        balance = FeederBalance(exports, imports, head_in, head_out)
        lost = exports + head_in - imports - head_out
        fits = lost >= 0 and (lost - 1) * 10_000 < (exports + head_in) * bound_bp
        if fits or lost == 0:
            check_balance(balance, bound_bp)
        else:
            with pytest.raises(FeederDisagreesError):
                check_balance(balance, bound_bp)
