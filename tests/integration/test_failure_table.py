"""
Every row of the failure table, played by stations before the real service.

The rows and what is right are in ``docs/reference/failure-cases.md``. Each says what becomes of the
money, and what stands in quarantine. Nobody is ever billed energy that no signature covers.
"""

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest

from devnet.field.misbehaving import messages, records
from devnet.field.misbehaving.readings import tag_nobody_opened
from devnet.field.stations.charging import Plate
from devnet.field.stations.notes import Phase, SignedValue
from devnet.field.stations.wire import CallRefusedError
from ledger.units import WattHours
from settlement.engine.charging.transactions import settle_waiting
from settlement.engine.finality import advance
from tests.integration.community import SEED
from tests.integration.street import HOUR_S, MINUTE_S, PRICE, VERSIONS, street

NUMBERED = tuple(version for version in VERSIONS if version != "1.6")
PAGE = Path(__file__).parents[2] / "docs/reference/failure-cases.md"
NOBODY = tag_nobody_opened(SEED)

every_version = pytest.mark.parametrize("version", VERSIONS)
numbered = pytest.mark.parametrize("version", NUMBERED)


@pytest.fixture(scope="module")
def play(tmp_path_factory):
    """Return what plays a row on the street, all rows on one street and one loop."""
    with asyncio.Runner() as runner:
        house = street(tmp_path_factory.mktemp("street"))
        here = runner.run(house.__aenter__())
        yield lambda row: runner.run(row(here))
        runner.run(house.__aexit__(None, None, None))


async def wait_out(here):
    """Let the time pass that a message waits for others, and judge what has waited."""
    here.pass_time(2 * HOUR_S)
    await here.here.run(lambda: settle_waiting(here.service))
    await here.here.run(lambda: advance(here.service))


@every_version
class TestOfflineDuringTheSession:
    def test_late_messages_bill_like_any_other(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            await visit.terminal.go_offline()
            await visit.draw(2 * HOUR_S)
            await visit.stop()
            here.pass_time(HOUR_S)
            assert visit.is_unbilled
            await visit.terminal.connect(here.clock.now_s())
            await here.idle()
            assert visit.is_billed(13_000)
            assert visit.codes == []

        play(row)

    def test_a_whole_session_played_offline_bills_too(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.terminal.go_offline()
            visit.plug_in()
            await visit.terminal.say(visit.transaction, visit.note(Phase.STARTED, "Authorized"))
            await visit.draw(HOUR_S)
            await visit.stop()
            await visit.terminal.connect(here.clock.now_s())
            await here.idle()
            assert visit.is_billed(6_000)
            assert visit.codes == []

        play(row)

    def test_values_left_out_for_want_of_memory_change_nothing(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.terminal.go_offline()
            await visit.draw(HOUR_S // 2)
            await visit.draw(HOUR_S)
            await visit.stop()
            assert visit.terminal.thin_out() > 0
            await visit.terminal.connect(here.clock.now_s())
            await here.idle()
            assert visit.is_billed(9_000)
            assert visit.codes == []

        play(row)


class TestTheAnswerToTheStartWasLost:
    def test_minus_one_is_matched_and_billed(self, play):
        async def row(here):
            visit = await here.visit("1.6")
            await visit.send(visit.starting())
            assert visit.transaction.number is None
            await visit.draw(HOUR_S)
            await visit.stop()
            assert visit.is_billed(6_000)
            assert visit.codes == []

        play(row)

    def test_minus_one_of_nobody_is_kept_and_bills_nobody(self, play):
        async def row(here):
            visit = await here.visit("1.6")
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            stop = visit.stopping(lambda meter, whole, _tag: meter.whole_record(whole, NOBODY))
            await visit.send(messages.with_tag(messages.without_number(stop), NOBODY))
            assert visit.is_unbilled
            assert visit.codes != []
            assert await visit.is_given_back()

        play(row)


@every_version
class TestStartedOfflineForAnIdTagNobodyAccepts:
    def test_is_a_debt_at_most_and_no_claim_on_a_deposit(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.terminal.go_offline()
            visit.plug_in(NOBODY)
            await visit.terminal.say(visit.transaction, visit.note(Phase.STARTED, "Authorized"))
            await visit.draw(10 * MINUTE_S)
            await visit.stop()
            await visit.terminal.connect(here.clock.now_s())
            await here.idle()
            await wait_out(here)
            assert {"no_deposit", "energy_without_deposit"} <= set(visit.codes)
            owed = [one for one in here.events("energy_owed") if one["id_tag"] == NOBODY]
            assert {one["station_id"]: one["energy_wh"] for one in owed}[visit.station[0]] == 1_000
            assert visit.is_unbilled
            visit.meter = visit.charge.meter
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            await visit.stop()
            assert visit.is_billed(1_000)

        play(row)


@every_version
class TestTheStopNeverComes:
    def test_the_deposit_comes_back_at_the_deadline(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(HOUR_S)
            assert visit.is_unbilled
            assert await visit.is_given_back()

        play(row)

    def test_a_late_signed_end_still_settles_before_it(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            ending = visit.ending()
            here.pass_time(20 * HOUR_S)
            await visit.terminal.say(visit.transaction, ending)
            await here.idle()
            assert visit.is_billed(1_000)

        play(row)

    def test_the_next_driver_is_served_and_each_pays_their_own(self, play, version):
        async def row(here):
            first = await here.visit(version)
            await first.start()
            await first.draw(10 * MINUTE_S)
            ending = first.ending()
            first.terminal.running.clear()
            second = await here.visit(version, station=first.station, meter=first.charge.meter)
            await second.start()
            await second.draw(20 * MINUTE_S)
            await second.stop()
            assert second.is_billed(2_000)
            await second.terminal.say(first.transaction, ending)
            await here.idle()
            assert first.is_billed(1_000)

        play(row)

    def test_a_free_outlet_holds_the_money_until_the_signed_end_comes(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            ending = visit.ending()
            await visit.terminal.connect(here.clock.now_s())
            await here.idle()
            assert visit.held_for == "missing_stop"
            assert visit.is_unbilled
            await visit.terminal.say(visit.transaction, ending)
            await here.idle()
            assert visit.is_billed(1_000)

        play(row)

    def test_a_debt_is_all_that_a_record_after_the_deadline_makes(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            ending = visit.ending()
            assert await visit.is_given_back()
            back = visit.session
            await visit.terminal.say(visit.transaction, ending)
            await here.idle()
            assert visit.session == back
            owed = [one for one in here.events("energy_owed") if one["id_tag"] == visit.tag]
            assert [one["energy_wh"] for one in owed] == [1_000]

        play(row)


@every_version
class TestThePowerFails:
    def test_a_session_ended_by_it_is_billed_to_its_signed_end(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            ending = visit.ending(reason="PowerLoss")
            await visit.terminal.go_offline()
            here.pass_time(HOUR_S)
            await visit.terminal.connect(here.clock.now_s())
            await visit.terminal.say(visit.transaction, ending)
            await here.idle()
            assert visit.is_billed(1_000)
            assert visit.codes == []

        play(row)

    def test_a_session_resumed_after_it_keeps_its_name_and_is_billed_whole(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            await visit.terminal.go_offline()
            visit.charge.closed = True
            await visit.draw(5 * MINUTE_S, [])
            visit.charge.closed = False
            await visit.terminal.connect(here.clock.now_s())
            trigger = "TxResumed" if version == "2.1" else "ChargingStateChanged"
            await visit.tell(visit.note(Phase.UPDATED, trigger))
            await visit.draw(10 * MINUTE_S)
            await visit.stop()
            assert visit.is_billed(2_000)
            assert visit.codes == []

        play(row)

    def test_a_record_that_says_so_itself_bills_nothing_by_guess(self, play, version):
        def interrupted(meter, whole, tag):
            return meter.whole_record(whole, tag, end="P")

        refused(play, version, interrupted, "incomplete_record")


@every_version
class TestAMessageComesTwice:
    @pytest.mark.parametrize("second_id", ["one", "two"])
    def test_the_same_start_starts_once(self, play, version, second_id):
        async def row(here):
            visit = await here.visit(version)
            start = visit.starting()
            answer = await visit.send(start, "one")
            assert await visit.send(start, second_id) == answer
            visit.transaction.number = visit.terminal.speech.reply(answer).number
            await visit.draw(10 * MINUTE_S)
            await visit.stop()
            assert visit.is_billed(1_000)
            assert visit.codes == []

        play(row)

    @pytest.mark.parametrize("second_id", ["one", "two"])
    def test_the_same_end_bills_once(self, play, version, second_id):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(HOUR_S)
            stop = visit.stopping()
            await visit.send(stop, "one")
            billed = visit.session
            await visit.send(stop, second_id)
            assert visit.session == billed
            assert visit.is_billed(6_000)
            assert visit.codes == []

        play(row)

    def test_a_start_with_other_content_is_kept_apart(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            start = visit.starting()
            answer = await visit.send(start, "one")
            await visit.send(messages.with_other_content(start), "two")
            visit.transaction.number = visit.terminal.speech.reply(answer).number
            assert visit.codes == ["message_differs"]
            await visit.draw(10 * MINUTE_S)
            await visit.stop()
            assert visit.is_billed(1_000)

        play(row)

    def test_an_end_with_other_content_is_kept_apart(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            stop = visit.stopping()
            await visit.send(stop, "one")
            billed = visit.session
            await visit.send(messages.with_other_content(stop), "two")
            assert visit.session == billed
            assert visit.is_billed(1_000)
            assert visit.codes == ["message_differs"]

        play(row)


@numbered
class TestANumberComesTwice:
    def test_an_update_with_other_content_is_kept_apart(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            update = visit.numbered(visit.note(Phase.UPDATED))
            await visit.send(update, "one")
            await visit.send(messages.with_other_content(update), "two")
            assert visit.codes == ["message_differs"]
            await visit.stop()
            assert visit.is_billed(1_000)

        play(row)


@every_version
class TestMessagesComeOutOfOrder:
    def test_an_end_that_overtakes_all_others_waits_for_them(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            start, said = visit.starting(), []
            await visit.draw(HOUR_S, said)
            if version == "1.6":
                visit.transaction.number = visit.terminal.speech.reply(
                    await visit.send(start, "first of all")
                ).number
            values = [visit.numbered(note) for note in said]
            await visit.send(visit.stopping(), "end")
            assert visit.is_unbilled
            for count, message in enumerate(values):
                await visit.send(message, f"late {count}")
            if version != "1.6":
                assert visit.is_unbilled
                await visit.send(start, "start")
            assert visit.is_billed(6_000)

        play(row)

    def test_an_end_whose_start_is_lost_settles_when_it_has_waited(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            visit.starting()
            await visit.draw(10 * MINUTE_S)
            await visit.stop()
            await wait_out(here)
            assert visit.is_billed(1_000)

        play(row)

    def test_fiscal_records_in_any_order_bill_the_same(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            said = []
            await visit.draw(3 * HOUR_S, said)
            for message in reversed([visit.numbered(note) for note in said]):
                await visit.send(message, f"values {id(message)}")
            await visit.stop()
            assert visit.is_billed(18_000)

        play(row)

    def test_a_fiscal_record_after_the_end_completes_the_bill(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            said = []
            await visit.draw(HOUR_S, said)
            late = [visit.numbered(note) for note in said]
            await visit.send(visit.stopping(), "end")
            for count, message in enumerate(late):
                await visit.send(message, f"late {count}")
            assert visit.is_billed(6_000)

        play(row)

    def test_the_record_after_an_unsigned_end_settles_it(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            ending = visit.ending()
            after = replace(ending, phase=Phase.UPDATED, trigger="SignedDataReceived", reason=None)
            await visit.terminal.say(visit.transaction, replace(ending, signed=()))
            assert visit.is_unbilled
            await visit.terminal.say(visit.transaction, after)
            await here.idle()
            assert visit.is_billed(1_000)

        play(row)


def refused(play, version, make, code):
    """Play a session whose record is made by ``make``: held for ``code``, then all comes back."""

    async def row(here):
        visit = await here.visit(version)
        await visit.start()
        await visit.draw(10 * MINUTE_S)
        answer = await visit.send(visit.stopping(make))
        assert visit.terminal.speech.reply(answer).number is None
        assert visit.is_unbilled
        assert visit.codes == [code]
        assert visit.held_for == code
        assert await visit.is_given_back()

    play(row)


@every_version
class TestTheRegisterBreaks:
    def test_one_that_runs_down_bills_nothing(self, play, version):
        refused(play, version, records.running_down, "record_backwards")

    def test_one_that_rolled_over_at_no_declared_modulus_bills_nothing(self, play, version):
        def rolled(meter, whole, tag):
            return records.rolled_over(meter, whole, tag, WattHours(1_000_000))

        refused(play, version, rolled, "record_backwards")

    def test_one_that_rolled_over_at_its_modulus_is_named_so_and_held(self, play, version):
        async def row(here):
            visit = await here.visit(version, modulus_wh=1_000_000)
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            await visit.stop(
                lambda meter, whole, tag: records.rolled_over(
                    meter, whole, tag, WattHours(1_000_000)
                )
            )
            assert visit.held_for == "register_wrapped"
            assert await visit.is_given_back()

        play(row)

    def test_one_of_an_exchanged_meter_bills_nothing(self, play, version):
        refused(play, version, records.of_exchanged_meter, "unusable_energy")

    def test_one_that_its_meter_flags_bills_nothing(self, play, version):
        refused(play, version, records.with_flagged_energy, "unusable_energy")

    def test_one_below_nothing_bills_nothing(self, play, version):
        refused(play, version, records.with_negative_register, "malformed_record")

    def test_one_below_the_end_of_the_session_before_bills_nothing(self, play, version):
        async def row(here):
            first = await here.visit(version)
            await first.start()
            await first.draw(10 * MINUTE_S)
            await first.stop()
            left = replace(first.charge.meter, register_wh=first.meter.register_wh)
            second = await here.visit(version, station=first.station, meter=left)
            await second.start()
            await second.draw(10 * MINUTE_S)
            await second.stop()
            assert second.is_unbilled
            assert "broken_register" in second.codes
            assert await second.is_given_back()
            assert first.is_billed(1_000)

        play(row)


@every_version
class TestTheBeginIsAPlaceholder:
    def test_a_signed_begin_of_nothing_holds_the_money(self, play, version):
        refused(play, version, records.with_placeholder_begin, "implausible_power")

    def test_one_signed_by_itself_changes_no_bill(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            page, charge = visit.charge.begin_page(), visit.charge
            begin = visit.terminal.meter.begin_record(
                page, charge.begin_s, charge.begin_wh, visit.tag
            )
            signed = [SignedValue(begin, "Transaction.Begin")]
            await visit.tell(visit.note(Phase.UPDATED, "SignedDataReceived", signed))
            await visit.draw(10 * MINUTE_S)
            await visit.stop()
            assert visit.is_billed(1_000)
            assert visit.codes == []

        play(row)

    @pytest.mark.parametrize("told", [0, -1])
    def test_an_unsigned_one_is_never_billed_by(self, play, version, told):
        async def row(here):
            visit = await here.visit(version)
            start = messages.with_placeholder(visit.starting(), told)
            answer = await visit.send(start)
            visit.transaction.number = visit.terminal.speech.reply(answer).number
            await visit.draw(10 * MINUTE_S)
            await visit.stop()
            assert visit.is_billed(1_000)

        play(row)


@every_version
class TestValuesAreNonsense:
    def test_each_is_answered_and_the_session_billed_all_the_same(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            for count, value in enumerate(messages.BAD_VALUES):
                await visit.draw(MINUTE_S)
                good = visit.numbered(visit.note(Phase.UPDATED))
                try:
                    await visit.send(messages.with_register(good, value), f"bad {count}")
                except CallRefusedError:
                    visit.transaction.next_seq_no -= 1
            await visit.stop()
            assert visit.is_billed(1_000)

        play(row)

    def test_a_number_that_json_does_not_know_is_answered(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            good = visit.numbered(visit.note(Phase.UPDATED))
            visit.transaction.next_seq_no -= 1
            assert (await visit.terminal.send_frame(messages.not_json(good)))[:2] in {"[3", "[4"}
            await here.idle()
            await visit.stop()
            assert visit.is_billed(1_000)

        play(row)

    def test_a_stop_at_minus_one_is_billed_by_its_record(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            await visit.send(messages.with_placeholder(visit.stopping(), -1))
            assert visit.is_billed(1_000)

        play(row)


@every_version
class TestClocksAreWrong:
    @pytest.mark.parametrize(
        "wrong",
        [
            messages.from_1970,
            messages.in_year_14,
            lambda good: messages.with_clock(good, 2 * HOUR_S),
            lambda good: messages.with_clock(good, -2 * HOUR_S),
        ],
        ids=["1970", "year 14", "2 h ahead", "2 h behind"],
    )
    def test_a_station_with_a_wrong_one_is_billed_by_its_meter(self, play, version, wrong):
        async def row(here):
            visit = await here.visit(version)
            answer = await visit.send(wrong(visit.starting()), "start")
            visit.transaction.number = visit.terminal.speech.reply(answer).number
            await visit.draw(10 * MINUTE_S)
            await visit.send(wrong(visit.stopping()), "stop")
            assert visit.is_billed(1_000)

        play(row)

    def test_a_meter_that_does_not_know_the_time_is_billed_its_energy(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            ending = visit.ending(records.with_unset_clock)
            await visit.terminal.say(visit.transaction, replace(ending, signed=ending.signed[-1:]))
            await here.idle()
            assert visit.is_billed(1_000)

        play(row)


@every_version
class TestTheDepositIsSpent:
    def test_the_driver_never_pays_more_than_it(self, play, version):
        async def row(here):
            visit = await here.visit(version, requested_wh=1_000)
            await visit.start()
            await visit.draw(HOUR_S)
            await visit.stop()
            found = visit.session
            assert found["state"] == "closed"
            assert (found["charge_micros"], found["refund_micros"]) == (found["deposit_micros"], 0)
            assert found["overrun_micros"] > 0

        play(row)


class TestTheDepositIsALimit:
    def test_a_station_that_knows_its_price_stops_by_itself(self, play):
        async def row(here):
            visit = await here.visit("2.1", requested_wh=1_000)
            await visit.start()
            limit = visit.transaction.limit_micros
            assert 0 < limit <= visit.opened.deposit_micros
            assert not visit.terminal.has_queued(None)
            visit.charge.allowed_wh = Plate(PRICE, 0).affordable_wh(limit)
            await visit.draw(15 * MINUTE_S)
            await visit.stop()
            found = visit.session
            assert found["state"] == "closed"
            assert found["charge_micros"] <= limit
            assert found["overrun_micros"] == 0
            assert found["energy_wh"] > 900

        play(row)


@every_version
class TestNoEnergyFlows:
    def test_the_whole_deposit_is_back_at_once(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            visit.curve = replace(visit.curve, wanted_wh=WattHours(0))
            await visit.start()
            await visit.draw(2 * MINUTE_S)
            await visit.stop()
            assert visit.is_billed(0)
            assert visit.session["refund_micros"] == visit.session["deposit_micros"]
            assert visit.codes == []

        play(row)

    def test_a_tag_that_is_never_used_costs_nothing(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            assert await visit.is_given_back()

        play(row)


@every_version
class TestTheCarIsFullAndStays:
    def test_only_energy_is_billed_where_the_tariff_asks_nothing_else(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            visit.curve = replace(visit.curve, wanted_wh=WattHours(2_000))
            await visit.start()
            await visit.draw(4 * HOUR_S)
            await visit.stop()
            assert visit.is_billed(2_000)
            assert visit.codes == []

        play(row)


@every_version
class TestARecordIsUsedAgain:
    def test_one_of_the_session_before_closes_no_other(self, play, version):
        async def row(here):
            first = await here.visit(version)
            await first.start()
            await first.draw(10 * MINUTE_S)
            ending = first.ending()
            await first.terminal.say(first.transaction, ending)
            await here.idle()
            second = await here.visit(version, station=first.station, meter=first.charge.meter)
            await second.start()
            await second.draw(10 * MINUTE_S)
            own = second.stopping()
            await second.send(messages.signed_by(own, ending.signed), "replayed")
            assert second.is_unbilled
            assert "foreign_record" in second.codes
            assert first.is_billed(1_000)
            await second.send(second.renumbered(own), "own")
            assert second.is_billed(1_000)

        play(row)

    def test_a_page_that_was_seen_before_closes_nothing(self, play, version):
        async def row(here):
            first = await here.visit(version)
            await first.start()
            await first.draw(10 * MINUTE_S)
            await first.stop()
            page = first.charge.meter.transaction_page

            def old(meter, whole, tag):
                return meter.whole_record(replace(whole, page=page), tag)

            second = await here.visit(version, station=first.station, meter=first.charge.meter)
            await second.start()
            await second.draw(10 * MINUTE_S)
            await second.stop(old)
            assert second.is_unbilled
            assert "old_page" in second.codes
            assert await second.is_given_back()

        play(row)

    def test_a_tag_that_was_used_starts_nothing_more(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            await visit.stop()
            assert await visit.terminal.authorize(visit.tag, visit.now_s) != "Accepted"
            assert visit.codes == ["no_deposit"]
            assert visit.is_billed(1_000)

        play(row)


@every_version
class TestTheSignatureIsNotTheMeters:
    def test_an_unsigned_end_pays_nothing(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            stop = visit.stopping()
            await visit.send(messages.unsigned(stop), "unsigned")
            assert visit.is_unbilled
            assert await visit.is_given_back()

        play(row)

    def test_a_signed_end_may_follow_an_unsigned_one(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            stop = visit.stopping()
            await visit.send(messages.unsigned(stop), "unsigned")
            await visit.send(visit.renumbered(stop), "signed")
            assert visit.is_billed(1_000)

        play(row)

    def test_a_stranger_s_pays_nothing(self, play, version):
        def strange(_meter, whole, tag):
            return records.by_stranger(whole, "street", tag, SEED)

        refused(play, version, strange, "wrong_record_signature")

    def test_a_forged_one_pays_nothing(self, play, version):
        def forged(meter, whole, tag):
            return records.with_forged_signature(meter.whole_record(whole, tag))

        refused(play, version, forged, "wrong_record_signature")

    def test_one_of_other_energy_pays_nothing(self, play, version):
        def more(meter, whole, tag):
            told = WattHours(whole.end_wh + 1)
            return records.with_other_energy(meter.whole_record(whole, tag), whole.end_wh, told)

        refused(play, version, more, "wrong_record_signature")

    def test_one_of_another_station_s_meter_pays_nothing(self, play, version):
        async def row(here):
            other = await here.visit(version)
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            stop = visit.stopping(
                lambda _meter, whole, tag: other.terminal.meter.whole_record(whole, tag)
            )
            await visit.send(stop)
            assert visit.is_unbilled
            assert visit.codes != []
            assert await visit.is_given_back()

        play(row)


@every_version
class TestTheServiceCannotTakeIt:
    def test_a_message_it_refuses_is_answered_so_that_it_is_not_repeated_for_ever(
        self, play, version
    ):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            answer = await visit.send(visit.stopping(records.running_down))
            assert visit.terminal.speech.reply(answer).accepted
            assert visit.is_unbilled

        play(row)

    def test_a_chain_that_is_away_delays_the_money_and_not_the_station(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            with here.chain_away():
                answer = await visit.send(visit.stopping())
                assert visit.terminal.speech.reply(answer).accepted
                assert visit.session["state"] == "closing"
            await here.here.run(lambda: advance(here.service))
            assert visit.is_billed(1_000)
            assert visit.codes == []

        play(row)


@every_version
class TestTheTariffChangesMeanwhile:
    def test_the_driver_pays_what_was_promised(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            await visit.start()
            await visit.draw(10 * MINUTE_S)
            with here.tariff_doubled():
                await visit.stop()
            assert visit.is_billed(1_000)

        play(row)


@every_version
class TestTheSessionIsTiny:
    def test_fourteen_watt_hours_cost_what_they_cost_to_the_micro_euro(self, play, version):
        async def row(here):
            visit = await here.visit(version)
            visit.curve = replace(visit.curve, wanted_wh=WattHours(14))
            await visit.start()
            await visit.draw(2 * MINUTE_S)
            await visit.stop()
            assert visit.is_billed(14)
            assert visit.session["charge_micros"] == 14 * 391_700 // 1_000

        play(row)


def test_ledger_and_chain_agree_after_all_of_it(play):
    async def row(here):
        await here.expire()
        assert await here.here.breaks() == ()

    play(row)


def test_the_page_names_every_row_and_no_other():
    named = re.findall(r"`(Test\w+)`", PAGE.read_text())
    played = [name for name in globals() if name.startswith("Test")]
    assert sorted(named) == sorted(played)
