"""The published parameters: exact, complete, and refused when they contradict one another."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devnet.field.parameters import DEMO, ParameterError, _micros, load_parameters


@pytest.fixture(scope="module")
def parameters():
    return load_parameters()


def changed(tmp_path, old, new):
    text = DEMO.read_text()
    assert old in text
    path = tmp_path / "other.toml"
    path.write_text(text.replace(old, new, 1))
    return path


class TestTheDemonstration:
    def test_has_the_published_prices_exact_to_the_micro(self, parameters):
        assert parameters.tariff.price == 391_700
        assert parameters.tariff.vat_bp == 2_000
        assert parameters.fees.toll == 30_000
        assert parameters.fees.levy == 5_000
        assert parameters.residual.buys == 60_000

    def test_lets_the_limits_of_any_two_members_cross(self, parameters):
        limits, fees = parameters.limits, parameters.fees
        assert limits.buy_min - fees.toll - fees.levy > limits.sell_max

    def test_makes_neighbors_better_off_than_the_supplier_would(self, parameters):
        limits, fees = parameters.limits, parameters.fees
        assert limits.sell_min > parameters.residual.buys
        assert limits.buy_max - fees.toll - fees.levy < 210_000

    def test_has_the_station_and_its_deadline(self, parameters):
        assert parameters.station.session_w == 6_656
        assert parameters.station.rated_w == 7_400
        assert parameters.deadline_s(1_000) == 1_000 + 86_400 + 21_600

    def test_declares_more_losses_than_there_are(self, parameters):
        assert parameters.grid.losses_bp == 200
        assert parameters.grid.loss_bound_bp > parameters.grid.losses_bp


class TestAWrongFile:
    @pytest.mark.parametrize(
        ("old", "new", "name"),
        [
            ('toll = "0.03" ', "", "fees.toll"),
            ('toll = "0.03"', "toll = 0.03", "fees.toll"),
            ('toll = "0.03"', 'toll = "-0.03"', "fees.toll"),
            ('toll = "0.03"', 'toll = "0.0300001"', "fees.toll"),
            ('toll = "0.03"', 'toll = "three cents"', "fees.toll"),
            ('toll = "0.03"', 'toll = "NaN"', "fees.toll"),
            ('toll = "0.03"', 'toll = "0.03"\nfee = "1"\n#', "fees.fee"),
            ("[fees]", "[fee]", "fee"),
            ("interval_s = 3600", 'interval_s = "3600"', "community.interval_s"),
            ("interval_s = 3600", "interval_s = true", "community.interval_s"),
            ("interval_s = 3600", "interval_s = 0", "community.interval_s"),
            (
                "utc_offset_minutes = -420",
                "utc_offset_minutes = 1440",
                "community.utc_offset_minutes",
            ),
            ("losses_bp = 200", "losses_bp = -1", "grid.losses_bp"),
            ("losses_bp = 200", "losses_bp = 10001", "grid.losses_bp"),
            ("losses_bp = 200", "losses_bp = 301", "grid.losses_bp"),
            ('step = "0.001"', 'step = "0"', "limits.step"),
            ('sell_max = "0.12"', 'sell_max = "0.06"', "limits.sell_max"),
            ('buy_max = "0.20"', 'buy_max = "0.16"', "limits.buy_max"),
            ("session_w = 6656", "session_w = 7401", "station.session_w"),
            ("session_w = 6656", "session_w = 0", "station.session_w"),
            ('id = "sierra"', 'id = ""', "community.id"),
        ],
    )
    def test_is_refused_and_the_parameter_named(self, tmp_path, old, new, name):
        with pytest.raises(ParameterError, match="^" + re.escape(name)) as caught:
            load_parameters(changed(tmp_path, old, new))
        assert caught.value.name == name

    def test_is_refused_when_a_section_is_no_table(self, tmp_path):
        path = tmp_path / "other.toml"
        path.write_text("fees = 3\n" + re.sub(r"\[fees\][^\[]*", "", DEMO.read_text()))
        with pytest.raises(ParameterError, match=r"^fees: not a table"):
            load_parameters(path)

    def test_is_refused_when_it_is_no_toml(self, tmp_path):
        with pytest.raises(ParameterError, match=r"other\.toml"):
            load_parameters(changed(tmp_path, "[fees]", "[fees"))

    def test_is_refused_when_it_is_missing(self, tmp_path):
        with pytest.raises(ParameterError, match=r"none\.toml"):
            load_parameters(tmp_path / "none.toml")


@given(st.integers(min_value=0, max_value=10**15))
def test_euros_become_micros_without_loss(micros):
    assert _micros("x", str(Decimal(micros).scaleb(-6))) == micros
