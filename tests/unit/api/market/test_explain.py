"""``--explain`` gives a reason for every order, in one sentence where one member is asked for."""

from tests.unit.api.market.folders import COMMUNITY, market_run, write
from tests.unit.api.market.test_orders import HEADER, LATER, SPAN


def explained(folder, *options):
    code, shown = market_run(folder, "--explain", *options)
    assert code == 0, shown
    return shown


def test_every_order_of_a_member_has_a_sentence_each_interval(tmp_path):
    shown = explained(write(tmp_path, readings=LATER), "--member", "bo")
    sentences = [line for line in shown.splitlines() if line.startswith("2026-06-01T")]
    assert [line[:20] for line in sentences] == ["2026-06-01T10:00:00Z", "2026-06-01T10:15:00Z"]
    assert all("1 kWh at 0.08 EUR/kWh" in line for line in sentences)


def test_french_is_spoken_where_it_is_asked_for(tmp_path):
    shown = explained(write(tmp_path), "--member", "bo", "--language", "fr")
    assert "Relevé de bo" in shown
    assert "1 kWh à 0,08 EUR/kWh" in shown


def test_all_members_have_their_reasons_counted(tmp_path):
    shown = " ".join(explained(write(tmp_path, readings=LATER)).replace("│", " ").split())
    assert "buy served 2 2.000" in shown
    assert "sell at_the_margin 2 2.000" in shown


def test_an_order_that_expired_is_said_to_have(tmp_path):
    expired = f"{HEADER}bo,buy,1000,0.05,{SPAN},,,,2026-06-01T10:00:00Z\n"
    shown = " ".join(explained(write(tmp_path, orders=expired)).replace("│", " ").split())
    assert "buy expired 1 0.000" in shown


def test_a_cap_is_told_from_funds(tmp_path):
    poor = COMMUNITY.replace('buy_not_above = "0.18"', 'buy_not_above = "0.18"\n{}')
    for key, reason in (("cap", "clamped_to_cap"), ("deposit", "clamped_to_funds")):
        folder = write(tmp_path / key, community=poor.replace("{}", f'{key} = "0.05"'))
        assert f"buy {reason} 1" in " ".join(explained(folder).replace("│", " ").split())
