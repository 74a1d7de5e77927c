"""What stations say, late, twice, out of order or wrong: who is billed, and whose money waits."""

from functools import partial

import pytest
from eth_account import Account

from ledger.errors import ChainUnavailable
from ledger.units import WattHours
from settlement.chain.web3_gateway import Web3Gateway
from settlement.charging.reports import Phase
from settlement.charging.terms import contract_tuple
from settlement.engine.charging import transactions
from settlement.engine.charging.money import ending
from settlement.engine.charging.running import opening_of, terms_of
from settlement.engine.clockwork import tick
from settlement.engine.finality import advance
from settlement.engine.roll import meter_key
from settlement.engine.turns import take_turn
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_signatures import signature_for_chain
from tests.integration.forecourt import HOUR_S, REGISTER_WH, forecourt

ENERGY_WH = 5_000


@pytest.fixture(scope="module")
def court(tmp_path_factory):
    with forecourt(tmp_path_factory.mktemp("forecourt")) as opened:
        yield opened
        assert opened.law_breaks() == {}


@pytest.fixture
def visit(court):
    court.pass_time(HOUR_S)
    return court.visit()


def paid(visit, energy_wh=ENERGY_WH):
    """Say whether exactly the energy is billed, and the rest of the deposit back."""
    row = visit.row
    whole = row["charge_micros"] + row["refund_micros"] == row["deposit_micros"]
    return (row["state"], row["energy_wh"], whole) == ("closed", energy_wh, True)


class TestStart:
    def test_is_answered_alike_however_often_it_comes(self, visit):
        told = visit.starting()
        first = visit.say(told)
        assert first.accepted
        assert first.max_cost_micros == visit.opened.deposit_micros
        assert visit.say(told) == first
        assert visit.events.count("session_started") == 1

    def test_with_other_content_is_kept_and_the_first_counts(self, visit):
        first = visit.say(visit.starting())
        assert visit.say(visit.starting(register_wh=WattHours(7))) == first
        assert visit.codes == ["message_differs"]
        assert visit.row["begin_wh"] == REGISTER_WH

    def test_at_another_instant_is_the_same_transaction(self, visit):
        first = visit.say(visit.starting())
        visit.court.pass_time(60)
        again = visit.starting(at_s=visit.court.now_s, key="start/again")
        assert visit.say(again) == first

    def test_without_a_deposit_is_refused(self, visit):
        assert visit.say(visit.starting(id_tag="NOBODY", key="start/nobody")) == "no_deposit"

    def test_of_a_tag_in_another_transaction_is_refused(self, visit):
        visit.say(visit.numbered(Phase.STARTED, 0))
        other = visit.numbered(Phase.STARTED, 0, transaction="other", key="event/other/0")
        assert visit.say(other) == "concurrent_transaction"

    def test_under_the_id_of_an_older_transaction_is_refused(self, court, visit):
        visit.say(visit.numbered(Phase.STARTED, 0))
        visit.say(visit.numbered(Phase.ENDED, 1, visit.whole(0)))
        after = court.visit(station=(visit.name, visit.key))
        reused = after.numbered(Phase.STARTED, 0, key="event/reused/0")
        assert after.say(reused) == "transaction_reused"

    @pytest.mark.parametrize("told_s", [0, 10**10])
    def test_from_a_clock_that_is_off_starts_when_it_can_have_started(self, visit, told_s):
        visit.start(at_s=told_s)
        assert visit.row["started_s"] == visit.court.now_s
        assert "station_clock_off" in visit.events

    def test_never_takes_an_unsigned_register_for_the_begin(self, visit):
        visit.start(register_wh=WattHours(0))
        visit.court.pass_time(HOUR_S)
        visit.say(visit.stopping(visit.whole(ENERGY_WH)))
        assert paid(visit)

    def test_shows_no_register_that_the_station_does_not_know(self, visit):
        visit.start(register_wh=WattHours(-1))
        assert visit.row["begin_wh"] is None


class TestEnd:
    @pytest.fixture
    def charging(self, visit):
        visit.start()
        visit.court.pass_time(HOUR_S)
        return visit

    def test_bills_what_the_record_says_and_no_more_the_second_time(self, charging):
        told = charging.stopping(charging.whole(ENERGY_WH))
        for _ in range(2):
            assert charging.say(told).accepted
            assert paid(charging)
        assert charging.codes == []

    def test_without_a_signature_holds_the_money(self, charging):
        assert charging.say(charging.stopping()) == "no_signed_record"
        assert (charging.state, charging.row["held_code"]) == ("held", "no_signed_record")
        assert charging.row["charge_micros"] is None

    def test_is_settled_by_the_record_that_comes_after_it(self, charging):
        charging.say(charging.stopping())
        charging.court.pass_time(30)
        assert charging.say(charging.metered(charging.whole(ENERGY_WH))).accepted
        assert paid(charging)

    def test_is_settled_by_the_record_that_came_before_it(self, charging):
        charging.say(charging.metered(charging.whole(ENERGY_WH)))
        assert charging.state == "charging"
        assert charging.say(charging.stopping()).accepted
        assert paid(charging)

    def test_signed_in_two_records_is_proven_and_not_closable(self, charging):
        begin = charging.record("T1", charging.reading("B", REGISTER_WH, charging.began_s))
        end = charging.record("T2", charging.reading("E", REGISTER_WH + 9, charging.court.now_s))
        charging.say(charging.metered(begin))
        assert charging.say(charging.stopping(end)) == "record_in_two_parts"
        assert charging.row["held_code"] == "record_in_two_parts"

    def test_prefers_the_whole_record_to_the_begin_beside_it(self, charging):
        begin = charging.record("T1", charging.reading("B", REGISTER_WH, charging.began_s))
        charging.say(charging.stopping(begin, charging.whole(ENERGY_WH, page=2)))
        assert paid(charging)

    @pytest.mark.parametrize(
        ("code", "make"),
        [
            ("foreign_record", lambda v: v.whole(ENERGY_WH, tag="SOMEBODY")),
            ("unbindable_record", lambda v: v.whole(ENERGY_WH, tag="")),
            ("serial_changed", lambda v: v.whole(ENERGY_WH, serial="ANOTHER")),
            ("implausible_power", lambda v: v.whole(10**6, begin_wh=0)),
            ("record_backwards", lambda v: v.whole(-10)),
            (
                "unusable_energy",
                lambda v: v.record(
                    "T1",
                    v.reading("B", REGISTER_WH, v.began_s),
                    v.reading("E", REGISTER_WH, v.court.now_s, ST='"M"'),
                ),
            ),
            (
                "malformed_record",
                lambda v: v.record(
                    "T1",
                    v.reading("B", REGISTER_WH, v.began_s),
                    v.reading("E", REGISTER_WH, v.court.now_s, RV='"NaN"'),
                ),
            ),
        ],
    )
    def test_that_cannot_be_holds_the_money_until_a_good_record_comes(self, charging, code, make):
        assert charging.say(charging.stopping(make(charging))) == code
        assert (charging.state, charging.row["held_code"]) == ("held", code)
        assert charging.say(charging.stopping(charging.whole(ENERGY_WH))).accepted
        assert paid(charging)

    def test_that_is_never_proven_gives_the_whole_deposit_back(self, court, charging):
        charging.say(charging.stopping())
        court.here.clock.set(charging.row["deadline_s"] + 1)
        court.run(lambda: tick(court.service))
        row = charging.row
        assert (row["state"], row["charge_micros"]) == ("expired", 0)
        assert row["refund_micros"] == row["deposit_micros"]

    def test_proven_too_late_is_a_debt_and_no_claim(self, court, charging):
        late = charging.stopping(charging.whole(ENERGY_WH))
        court.here.clock.set(charging.row["deadline_s"] + 1)
        court.run(lambda: tick(court.service))
        for _ in range(2):
            assert charging.say(late) == "energy_without_deposit"
        assert charging.row["charge_micros"] == 0
        assert charging.events.count("energy_owed") == 1


class TestClosingThatTheChainRefused:
    def test_is_tried_again_with_the_record_that_comes_after_it(self, court, visit):
        visit.start()
        court.pass_time(HOUR_S)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ending, "_CLOSE_GAS", 60_000)
            assert visit.say(visit.stopping(visit.whole(ENERGY_WH))).accepted
        assert visit.state == "held"
        assert visit.say(visit.metered(visit.whole(ENERGY_WH, page=2))).accepted
        assert paid(visit)


class TestAnotherRecordOfTheMeter:
    def test_that_reaches_the_contract_first_counts_and_stops_nothing(self, tmp_path):
        with forecourt(tmp_path) as court:
            visit = court.visit()
            visit.start()
            court.pass_time(HOUR_S)
            lesser, whole = visit.whole(1_000, page=1), visit.whole(ENERGY_WH, page=2)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Web3Gateway, "send_all", away)
                assert visit.say(visit.stopping(whole)) == "chain_unavailable"
            assert visit.state == "closing"
            court.run(lambda: bring(court.service, visit.row, lesser))
            court.run(lambda: advance(court.service))
            row = visit.row
            assert (row["state"], row["energy_wh"], row["record"]) == ("closed", 1_000, None)
            assert row["charge_micros"] == row["deposit_micros"] - row["refund_micros"]
            assert "session_closed_otherwise" in visit.events
            other = court.visit()
            other.start()
            court.pass_time(HOUR_S)
            assert other.say(other.stopping(other.whole(ENERGY_WH))).accepted
            assert paid(other)
            # The street has traded what the meter measured; that less was billed is not hidden.
            assert court.law_breaks() == {
                "L3": f"{row['session_id']}: billed 1000 Wh, fiscal records say {ENERGY_WH}"
            }


def away(*_question):
    raise ChainUnavailable("the node is away")


def bring(service, row, text):
    """Bring a record to the contract past the service's outbox, as anybody may."""
    record, terms = parse_record(text), terms_of(row)
    with service.reading() as connection:
        key = meter_key(connection, terms.meter_id, service.clock.now_s())
    arguments = (
        contract_tuple(terms),
        opening_of(row).contract_tuple(),
        record.payload,
        signature_for_chain(record, key),
    )
    fields = {
        "type": 2,
        "chainId": service.identity.chain_id,
        "nonce": 0,
        "maxFeePerGas": 0,
        "maxPriorityFeePerGas": 0,
        "gas": 900_000,
        "value": 0,
        "data": service.contracts.vault.encode("closeWithOcmf", *arguments),
        "to": bytes.fromhex(service.contracts.vault.address[2:]),
    }
    signed = Account.from_key(b"\x07" * 32).sign_transaction(fields)
    service.gateway.send(bytes(signed.raw_transaction))


class TestRegister:
    def test_that_begins_below_the_last_end_holds_the_money(self, court, visit):
        visit.start()
        court.pass_time(HOUR_S)
        visit.say(visit.stopping(visit.whole(ENERGY_WH)))
        after = court.visit(station=(visit.name, visit.key), first_page=2)
        after.start()
        court.pass_time(HOUR_S)
        below = after.whole(ENERGY_WH, begin_wh=REGISTER_WH + ENERGY_WH - 1)
        assert after.say(after.stopping(below)) == "broken_register"
        good = after.whole(ENERGY_WH, begin_wh=REGISTER_WH + ENERGY_WH)
        after.say(after.stopping(good))
        assert paid(after)

    def test_that_turned_within_a_session_is_named_and_held(self, court):
        court.pass_time(HOUR_S)
        visit = court.visit(register_modulus_wh=WattHours(10_000_000))
        visit.start()
        court.pass_time(HOUR_S)
        turned = visit.record(
            "T1",
            visit.reading("B", 9_999_000, visit.began_s),
            visit.reading("E", 1_000, court.now_s),
        )
        assert visit.say(visit.stopping(turned)) == "register_wrapped"
        assert visit.state == "held"

    def test_that_turned_between_two_sessions_goes_on(self, court):
        court.pass_time(HOUR_S)
        visit = court.visit(register_modulus_wh=WattHours(10_000_000))
        visit.start()
        court.pass_time(HOUR_S)
        visit.say(visit.stopping(visit.whole(ENERGY_WH, begin_wh=9_994_999)))
        assert paid(visit)
        after = court.visit(station=(visit.name, visit.key), first_page=2)
        after.start()
        court.pass_time(HOUR_S)
        after.say(after.stopping(after.whole(ENERGY_WH, begin_wh=0)))
        assert paid(after)


class TestTransactionWithoutAnId:
    @pytest.fixture
    def lost(self, visit):
        visit.start()
        visit.transaction = None
        visit.court.pass_time(HOUR_S)
        return visit

    def test_is_that_of_its_idtag(self, lost):
        lost.say(lost.stopping(lost.whole(ENERGY_WH), id_tag=lost.tag))
        assert paid(lost)

    def test_is_that_of_the_signed_idtag(self, lost):
        lost.say(lost.stopping(lost.whole(ENERGY_WH)))
        assert paid(lost)

    def test_is_the_only_one_that_runs_there_and_nothing_is_billed_by_that(self, lost):
        assert lost.say(lost.stopping()) == "no_signed_record"
        assert lost.state == "held"

    def test_shares_no_key_with_the_next_one(self, court, lost):
        lost.say(lost.stopping(lost.whole(ENERGY_WH)))
        after = court.visit(station=(lost.name, lost.key), first_page=2)
        after.start()
        after.transaction = None
        court.pass_time(HOUR_S)
        after.say(after.stopping(after.whole(ENERGY_WH, begin_wh=REGISTER_WH + ENERGY_WH)))
        assert paid(lost)
        assert paid(after)

    def test_whose_start_is_lost_is_billed_by_the_signed_idtag(self, visit):
        visit.court.pass_time(HOUR_S)
        visit.say(visit.stopping(visit.whole(ENERGY_WH)))
        assert paid(visit)
        assert "start_was_lost" in visit.events

    def test_is_not_started_by_a_signature_of_another_meter(self, visit):
        _, other = visit.court.build()
        visit.court.pass_time(HOUR_S)
        forged = visit.stopping(visit.whole(ENERGY_WH, key=other, serial=visit.key.serial))
        assert visit.say(forged) == "unknown_transaction"
        assert visit.state == "open"

    def test_of_nobody_is_parked(self, visit):
        assert visit.say(visit.stopping(id_tag="NOBODY")) == "unknown_transaction"
        assert visit.state == "open"

    def test_of_nobody_that_gave_energy_is_a_debt(self, visit):
        visit.court.pass_time(HOUR_S)
        told = visit.stopping(visit.whole(ENERGY_WH, tag="NOBODY"), id_tag="NOBODY")
        assert visit.say(told) == "energy_without_deposit"
        assert visit.codes == ["energy_without_deposit"]
        assert visit.state == "open"


class TestMissingStop:
    @pytest.fixture
    def silent(self, visit):
        visit.start()
        visit.say(visit.metered(visit.fiscal(1, 0, 300)))
        visit.court.pass_time(HOUR_S)
        return visit

    def test_ends_provisionally_when_the_connector_is_free(self, silent):
        silent.free()
        assert (silent.state, silent.row["held_code"]) == ("held", "missing_stop")
        assert silent.row["charge_micros"] is None

    def test_ends_provisionally_when_the_next_one_starts(self, court, silent):
        after = court.visit(station=(silent.name, silent.key))
        after.start()
        assert (silent.state, after.state) == ("held", "charging")

    def test_ends_provisionally_when_the_longest_stay_is_over(self, court, silent):
        offline_s = court.service.rules.offline_window_s
        court.here.clock.set(silent.row["deadline_s"] - offline_s)
        court.settle_waiting()
        assert silent.row["held_code"] == "missing_stop"

    def test_goes_on_when_the_station_goes_on(self, silent):
        silent.free()
        silent.say(silent.metered())
        assert silent.state == "charging"

    def test_goes_on_under_its_id_after_a_power_failure(self, silent):
        silent.free()
        again = silent.starting(key="start/after-power", at_s=silent.court.now_s)
        assert silent.say(again).transaction == silent.transaction
        assert silent.state == "charging"

    def test_is_settled_by_the_late_stop(self, silent):
        silent.free()
        silent.say(silent.stopping(silent.whole(300)))
        assert paid(silent, 300)

    def test_is_settled_by_the_late_record_alone(self, silent):
        silent.free()
        silent.say(silent.metered(silent.whole(300)))
        assert paid(silent, 300)

    def test_is_settled_by_the_record_that_was_here_before(self, court, silent):
        silent.say(silent.metered(silent.whole(300)))
        silent.free()
        assert silent.state == "held"
        court.settle_waiting()
        assert paid(silent, 300)


class TestNumberedTransaction:
    @pytest.fixture
    def numbered(self, visit):
        visit.court.pass_time(HOUR_S)
        whole = visit.whole(ENERGY_WH)
        visit.messages = (
            visit.numbered(Phase.STARTED, 4),
            visit.numbered(Phase.UPDATED, 5, visit.fiscal(1, 0, 2_000)),
            visit.numbered(Phase.UPDATED, 6, visit.fiscal(2, 2_000, ENERGY_WH)),
            visit.numbered(Phase.ENDED, 7, whole),
        )
        return visit

    @pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2), (3, 0, 1, 2)])
    def test_comes_to_the_same_in_any_order(self, numbered, order):
        for position in order:
            numbered.say(numbered.messages[position])
        assert paid(numbered)
        assert [row.energy_wh for row in numbered.slices] == [2_000, 3_000]

    def test_is_answered_under_the_id_that_the_station_gave(self, numbered):
        answer = numbered.say(numbered.messages[0])
        assert answer.transaction == f"tx-{numbered.name}"

    def test_takes_the_first_of_two_under_one_number(self, numbered):
        numbered.say(numbered.messages[0])
        numbered.say(numbered.messages[1])
        other = numbered.numbered(Phase.UPDATED, 5, numbered.fiscal(9, 0, 4_000))
        assert numbered.say(other).accepted
        assert numbered.codes == ["message_differs"]
        assert [tuple(row) for row in numbered.slices] == [(1, 2_000)]

    def test_waits_for_what_is_missing_and_is_billed_without_it(self, court, numbered):
        for position in (0, 1):
            numbered.say(numbered.messages[position])
        assert numbered.say(numbered.messages[3]) == "slices_missing"
        assert numbered.row["held_code"] == "slices_missing"
        assert "transaction_incomplete" in numbered.events
        court.pass_time(court.service.rules.grace_s)
        court.settle_waiting()
        assert paid(numbered)
        assert sorted(row.energy_wh for row in numbered.slices) == [2_000, 3_000]
        assert "slice_estimated" in numbered.events

    def test_without_fiscal_records_is_billed_at_once(self, numbered):
        numbered.say(numbered.messages[0])
        numbered.say(numbered.numbered(Phase.ENDED, 5, numbered.whole(ENERGY_WH)))
        assert paid(numbered)

    def test_whose_start_is_lost_is_billed_by_the_signed_idtag(self, court, numbered):
        numbered.say(numbered.messages[3])
        assert numbered.state == "open"
        court.pass_time(court.service.rules.grace_s)
        court.settle_waiting()
        assert paid(numbered)
        assert "start_was_lost" in numbered.events

    def test_of_nobody_is_a_debt_when_its_time_is_over(self, court, numbered):
        nobody = numbered.whole(ENERGY_WH, tag="NOBODY")
        numbered.say(numbered.numbered(Phase.ENDED, 7, nobody, id_tag="NOBODY"))
        court.pass_time(court.service.rules.grace_s)
        court.settle_waiting()
        assert numbered.codes[-1] == "energy_without_deposit"
        assert numbered.state == "open"


class TestReportsTogether:
    def test_come_to_the_same_as_one_by_one(self, court):
        court.pass_time(HOUR_S)
        one, other, nobody = court.visit(), court.visit(), court.visit()
        one.start()
        court.pass_time(HOUR_S)
        reports = [
            one.metered(),
            other.numbered(Phase.STARTED, 0),
            other.numbered(Phase.UPDATED, 1),
            one.metered(),
            other.numbered(Phase.UPDATED, 1, at_s=7),
            nobody.stopping(transaction="9"),
            one.stopping(one.whole(ENERGY_WH)),
            other.numbered(Phase.ENDED, 2, other.whole(ENERGY_WH)),
        ]
        works = [
            partial(transactions.report, court.service, one, elapsed_ns=lambda: 1)
            for one in reports
        ]
        found = court.run(lambda: take_turn(court.service, works))
        assert [getattr(answer, "code", "accepted") for answer in found] == [
            *["accepted"] * 5,
            "unknown_transaction",
            *["accepted"] * 2,
        ]
        assert other.codes == ["message_differs"]
        assert paid(one)
        assert paid(other)

    def test_let_a_silent_session_go_on(self, court):
        court.pass_time(HOUR_S)
        visit = court.visit()
        visit.start()
        visit.free()
        for told in (visit.metered(), visit.metered(transaction=None)):
            court.run(
                lambda one=told: transactions.report(court.service, one, elapsed_ns=lambda: 1)
            )
        assert visit.state == "charging"
        assert visit.events.count("session_resumed") == 1
