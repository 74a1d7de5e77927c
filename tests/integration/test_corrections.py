"""Readings come late; intervals are corrected by their differences, and then they are final."""

import pytest
from sqlalchemy import select

from ledger import accounts
from settlement.engine.origin.proving import proof_of
from settlement.engine.view.overview import overview
from settlement.engine.view.tally import Tally
from settlement.tables import certificate, intent, lot, refusal
from tests.integration.late_street import AFTER_S, WINDOW_S, late_street

SUN, SHADE, LATE = "home-01", "home-02", "home-03"


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    with late_street(tmp_path_factory.mktemp("late")) as found:
        yield found
        assert found.broken() == {}


@pytest.fixture
def silent(street):
    """An interval that was settled while a buyer's meter was silent; its hour."""
    street.turn(home_01=-3_000, home_02=1_000, home_03=1_500)
    street.say_all(LATE)
    street.grace()
    [first] = street.runs(street.hour)
    assert (first["kind"], first["estimated"], first["traded_wh"]) == (0, 1, 1_000)
    return street.hour


def corrected(street, hour):
    """Let late readings wait long enough; return the newest run."""
    street.wait(AFTER_S)
    return street.runs(hour)[-1]


class TestALateReading:
    def test_changes_nothing_before_it_has_waited(self, street, silent):
        assert street.say({LATE: silent}) == set()
        street.wait(AFTER_S - 1)
        assert len(street.runs(silent)) == 1
        street.wait(1)
        assert len(street.runs(silent)) == 2

    def test_makes_one_run_that_names_the_one_it_amends(self, street, silent):
        [first] = street.runs(silent)
        street.say({LATE: silent})
        second = corrected(street, silent)
        assert (second["kind"], second["amends"]) == (1, first["run"])
        assert (second["estimated"], second["traded_wh"]) == (0, 1_500)
        told = street.events("interval_corrected")[-1]
        assert (told["amends"], told["traded_wh"]) == (first["run"], 2_500)

    def test_replaces_the_certificates_of_the_run_that_it_amends(self, street, silent):
        [first] = street.runs(silent)
        street.say({LATE: silent})
        second = corrected(street, silent)
        states, certified_wh = {}, {}
        rows = select(lot, certificate.c.state).join(certificate, certificate.c.leaf == lot.c.leaf)
        for one in street.read(rows.where(lot.c.run.in_((first["run"], second["run"])))):
            states.setdefault(one["run"], set()).add(one["state"])
            certified_wh[one["run"]] = certified_wh.get(one["run"], 0) + one["covered_wh"]
            with street.service.reading() as connection:
                proof = proof_of(street.service, connection, one["leaf"])
            assert proof["run"] == one["run"]
        assert states == {first["run"]: {"withdrawn"}, second["run"]: {"claimed"}}
        assert certified_wh == {first["run"]: 1_000, second["run"]: 2_500}

    def test_posts_only_the_difference(self, street, silent):
        before = street.balances()
        street.say({LATE: silent})
        second = corrected(street, silent)
        lines = street.lines(second["run"])
        late, sun = street.wallet(LATE), street.wallet(SUN)
        [bought] = [one for one in lines if one["kind"] == "energy" and one["payer"] == late]
        assert (bought["payee"], bought["energy_wh"], bought["rail"]) == (sun, 1_500, "chain")
        [surplus] = [one for one in lines if one["kind"] == "residual" and sun in one.values()]
        # The supplier had bought what the neighbor took: it gives the energy back, and is repaid.
        assert (surplus["taker"], surplus["energy_wh"]) == ("grid-supplier", -1_500) or (
            surplus["payer"] == sun and surplus["energy_wh"] == -1_500
        )
        after = street.balances()
        paid = sum(one["amount_micros"] for one in lines if one["payer"] == late)
        account = accounts.trade_balance(late)
        assert before[account] - after[account] == paid > 0

    def test_is_provable_on_the_chain_beside_the_first(self, street, silent):
        street.say({LATE: silent})
        corrected(street, silent)
        trade, gateway = street.service.contracts.trade, street.service.gateway
        for one in street.runs(silent):
            asked = ((trade.address, trade.encode("rootOf", one["run"])),)
            height = street.service.indexer.final_height
            with street.service.reading() as connection:
                [answer] = gateway.calls_at(height(connection), asked)
            assert trade.decode_result("rootOf", answer)[0] == "0x" + one["root"].hex()

    def test_is_told_once_however_often_it_comes(self, street, silent):
        street.say({LATE: silent})
        corrected(street, silent)
        before = street.balances()
        assert street.say({LATE: silent}) == set()
        street.wait(AFTER_S)
        assert len(street.runs(silent)) == 2
        assert street.balances() == before

    def test_of_several_meters_makes_one_run(self, street):
        street.turn(home_01=-3_000, home_02=1_000, home_03=1_500)
        street.say_all(LATE, SHADE)
        street.grace()
        street.say({LATE: street.hour})
        street.wait(AFTER_S // 2)
        street.say({SHADE: street.hour})
        street.wait(AFTER_S // 2)
        assert [one["kind"] for one in street.runs(street.hour)] == [0, 1]

    def test_may_be_followed_by_another_that_corrects_again(self, street):
        street.turn(home_01=-3_000, home_02=1_000, home_03=1_500)
        hour = street.hour
        street.say_all(LATE, SHADE)
        street.grace()
        for name in (LATE, SHADE):
            street.say({name: hour})
            corrected(street, hour)
        first, second, third = street.runs(hour)
        assert [second["amends"], third["amends"]] == [first["run"], second["run"]]
        assert sum(one["traded_wh"] for one in (first, second, third)) == 2_500

    def test_moves_energy_that_was_counted_in_the_next_interval(self, street):
        street.turn(home_01=-3_000, home_03=1_500)
        late = street.hour
        street.say_all(LATE)
        street.grace()
        street.turn(home_01=-3_000, home_03=500)
        street.say_all()
        street.wait()
        [first] = street.runs(street.hour)
        assert first["traded_wh"] == 2_000
        street.say({LATE: late})
        street.wait(AFTER_S)
        assert [
            sum(one["traded_wh"] for one in street.runs(hour)) for hour in (late, late + 1)
        ] == [
            1_500,
            500,
        ]

    def test_that_says_what_was_believed_moves_nothing_and_is_still_committed_to(self, street):
        street.turn(home_01=-3_000, home_02=1_000)
        street.say_all(LATE)
        street.grace()
        before = street.balances()
        street.say({LATE: street.hour})
        second = corrected(street, street.hour)
        assert street.lines(second["run"]) == []
        assert street.balances() == before
        assert second["estimated"] == 0

    def test_must_fit_what_the_meter_said_later(self, street):
        street.turn(home_03=1_500)
        late = street.hour
        street.say_all(LATE)
        street.grace()
        street.turn()
        street.say_all()
        street.wait()
        right = street.registers[LATE, late]
        street.registers[LATE, late] = (right[0] + 1, right[1])
        assert street.say({LATE: late}) == {"register_went_back"}
        street.registers[LATE, late] = right
        assert street.say({LATE: late}) == set()


class TestAPoorMember:
    def test_owes_on_the_invoice_what_it_cannot_pay(self, street):
        street.turn(home_01=-3_000, home_02=1_000, home_03=1_500)
        hour = street.hour
        street.say_all(LATE)
        street.grace()
        street.send(LATE, "setCap", 0)
        street.say({LATE: hour})
        held = street.balance(accounts.trade_balance(street.wallet(LATE)))
        owed = street.balance(accounts.invoice(LATE))
        second = corrected(street, hour)
        lines = [one for one in street.lines(second["run"]) if one["payer"] == street.wallet(LATE)]
        assert {one["rail"] for one in lines} == {"invoice"}
        assert {"energy", "toll", "levy", "vat"} <= {one["kind"] for one in lines}
        assert street.balance(accounts.trade_balance(street.wallet(LATE))) == held
        paid = sum(one["amount_micros"] for one in lines)
        assert street.balance(accounts.invoice(LATE)) == owed - paid
        street.send(LATE, "setCap", 50_000_000)


class TestAFinalInterval:
    def test_takes_no_reading_and_changes_no_more(self, street, silent):
        before = street.balances()
        street.wait(street.service.rules.end_s(silent - 1) + WINDOW_S - street.clock.now_s())
        told = street.events("interval_final")
        assert street.service.rules.community_id in told[-1]["trace_id"]
        assert told[-1]["trace_id"].split("/")[1] == str(silent - 1)
        assert street.say({LATE: silent}) == {"reading_after_final_run"}
        street.wait(AFTER_S)
        assert len(street.runs(silent)) == 1
        assert street.balances() == before
        kept = street.read(select(refusal).where(refusal.c.code == "reading_after_final_run"))
        assert len(kept) == 2

    def test_is_corrected_first_if_a_reading_waits(self, street, silent):
        end_s = street.service.rules.end_s(silent - 1) + WINDOW_S
        street.wait(end_s - 1 - street.clock.now_s())
        street.say({LATE: silent})
        street.wait(1)
        assert [one["kind"] for one in street.runs(silent)] == [0, 1]
        assert street.events("interval_final")[-1]["run"] == street.runs(silent)[-1]["run"]


class TestARestart:
    def test_goes_on_with_readings_that_wait(self, street, silent):
        street.say({LATE: silent})
        street.restart()
        assert corrected(street, silent)["kind"] == 1

    def test_sends_a_correction_that_was_written_and_not_sent(self, street, silent, monkeypatch):
        street.say({LATE: silent})
        street.clock.set(street.clock.now_s() + AFTER_S)
        calls = []

        def killed(*_given, **_named):
            calls.append(1)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return 0

        with monkeypatch.context() as patch:
            patch.setattr("settlement.engine.market.runs.corrections.advance", killed)
            with pytest.raises(KeyboardInterrupt):
                street.wait()
        second = street.runs(silent)[-1]
        key = f"settle/{second['run']}"
        street.restart()
        street.wait()
        [sent] = street.read(select(intent).where(intent.c.business_key == key))
        assert sent["state"] == "final"
        assert len(street.runs(silent)) == 2


class TestTheOverview:
    def test_shows_an_interval_once_as_it_is_now(self, street, silent):
        street.say({LATE: silent})
        second = corrected(street, silent)
        with street.service.reading() as connection:
            found = overview(street.service, connection, Tally())
        [shown] = [one for one in found["intervals"] if one["interval"] == silent - 1]
        assert (shown["run"], shown["traded_wh"]) == (second["run"], 2_500)
        assert shown["deficit_wh"] == 2_500

    def test_sums_to_what_lines_come_to(self, street, silent):
        kept = Tally()

        def totals():
            """Return the sums as they go on from the last look, and as they are added up anew."""
            with street.service.reading() as connection:
                kept_on = overview(street.service, connection, kept)["totals"]
                assert kept_on == overview(street.service, connection, Tally())["totals"]
                return kept_on

        before = totals()
        street.say({LATE: silent})
        second = corrected(street, silent)
        after = totals()
        lines = street.lines(second["run"])
        repaid = [one for one in lines if one["kind"] == "residual" and one["energy_wh"] < 0]
        assert after["intervals"] == before["intervals"]
        assert int(after["residual_micros"]) - int(before["residual_micros"]) == -sum(
            one["amount_micros"] for one in repaid
        )
        assert int(after["traded_wh"]) - int(before["traded_wh"]) == 1_500
