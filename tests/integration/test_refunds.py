"""Sessions that end together are refunded together, and what befalls one befalls no other."""

import asyncio
import gc
import json

import pytest
from sqlalchemy import event as listening
from sqlalchemy import func, select

from api.ocpp.translation import v16
from api.ocpp.translation.limits import Limits
from api.ocpp.translation.steps import Received
from ledger.errors import ChainUnavailable, UnverifiedReading
from ledger.tables import transfer
from scripts.benchmarks.charging.ending.forecourt import forecourt
from scripts.benchmarks.charging.ending.refunds import measure, percentile
from settlement.audit.reconciliation.breaks import all_breaks
from settlement.engine.charging import transactions
from settlement.engine.charging.closing import NoSignedRecordError
from settlement.engine.finality import advance
from settlement.engine.intake import emit
from settlement.engine.turns import take_turn
from settlement.tables import attempt, block, event, intent, latency, observed, session

COUNT = 4
STATEMENTS = 37


class Walked:
    """Remembers the steps of every transaction, and stumbles at one of them."""

    def __init__(self, over=None):
        self.steps = []
        self._over = over

    def reach(self, step):
        self.steps.append(step)
        if step == self._over:
            raise ChainUnavailable("cut off")


def report(plug, at_s, *, spoil=False):
    """Return what the service makes of a stop; ``spoil`` breaks the meter's signature."""
    payload = json.loads(plug.frame)[3]
    if spoil:
        whole = payload["transactionData"][1]["sampledValue"][0]
        record = json.loads(whole["value"])
        record["signedMeterData"] = record["signedMeterData"].replace("A", "B", 1)
        whole["value"] = json.dumps(record)
    received = Received(plug.station, payload, plug.frame, at_s, Limits())
    return v16.READERS["StopTransaction"](received).report


def stops(here, *, spoiled=-1):
    service = here.running.service
    at_s = here.clock.now_s()
    reports = [report(plug, at_s, spoil=n == spoiled) for n, plug in enumerate(here.plugs)]
    return [
        lambda told=told: transactions.report(service, told, elapsed_ns=lambda: 5_000_000)
        for told in reports
    ]


def states(service):
    with service.reading() as connection:
        rows = connection.execute(
            select(
                session.c.station_id,
                session.c.state,
                session.c.deposit_micros - session.c.charge_micros - session.c.refund_micros,
            ).order_by(session.c.station_id)
        )
        return [(state, rest) for _, state, rest in rows]


def counted(service, column):
    with service.reading() as connection:
        return connection.execute(select(func.count(column))).scalar_one()


def on_forecourt(tmp_path, story):
    """Play ``story`` where a paid-for car stands at each of a few stations."""

    async def play():
        async with forecourt(tmp_path, COUNT) as here:
            await story(here)
            reconciler = here.running.desk._follow.__self__
            await here.running.desk.run(reconciler.everything)
            with here.running.service.reading() as connection:
                assert all_breaks(connection) == ()

    asyncio.run(play())


class TestSessionsThatEndTogether:
    def test_are_signed_committed_sent_and_posted_together(self, tmp_path):
        async def story(here):
            service, desk = here.running.service, here.running.desk
            walked = service.outbox.steps = Walked()
            found = await desk.run(lambda: take_turn(service, stops(here)))
            assert [answer.accepted for answer in found] == [True] * COUNT
            assert states(service) == [("closed", 0)] * COUNT
            rest = ["committed", "sending", "sent", "looking", "looked", "settled"]
            assert walked.steps == ["planned"] * COUNT + rest
            assert counted(service, latency.c.session_id) == COUNT

        on_forecourt(tmp_path, story)

    def test_one_that_is_refused_touches_no_other(self, tmp_path):
        async def story(here):
            service = here.running.service
            works = stops(here, spoiled=1)
            found = await here.running.desk.run(lambda: take_turn(service, works))
            assert isinstance(found[1], UnverifiedReading)
            assert [one.accepted for one in (found[0], *found[2:])] == [True] * (COUNT - 1)
            closed = ("closed", 0)
            assert states(service) == [closed, ("held", None), closed, closed]

        on_forecourt(tmp_path, story)

    def test_one_that_fails_midway_takes_back_what_it_wrote_and_nothing_else(self, tmp_path):
        async def story(here):
            service = here.running.service

            def stumble():
                with service.writing() as connection:
                    emit(connection, "half_done", trace_id="", at_s=service.clock.now_s())
                    raise NoSignedRecordError("0")

            works = [*stops(here)[:2], stumble, *stops(here)[2:]]
            found = await here.running.desk.run(lambda: take_turn(service, works))
            assert isinstance(found[2], NoSignedRecordError)
            assert states(service) == [("closed", 0)] * COUNT
            with service.reading() as connection:
                told = connection.execute(select(event.c.name).distinct()).scalars().all()
            assert "session_closed" in told
            assert "half_done" not in told

        on_forecourt(tmp_path, story)

    def test_see_within_their_turn_what_was_written_before_them(self, tmp_path):
        async def story(here):
            service, plug = here.running.service, here.plugs[0]
            work = stops(here)[0]

            def state():
                with service.reading() as connection:
                    return connection.execute(
                        select(session.c.state).where(session.c.session_id == plug.session_id)
                    ).scalar_one()

            found = await here.running.desk.run(lambda: take_turn(service, [state, work, state]))
            assert (found[0], found[2]) == ("charging", "closing")

        on_forecourt(tmp_path, story)

    def test_said_again_change_nothing(self, tmp_path):
        async def story(here):
            service, desk = here.running.service, here.running.desk
            await desk.run(lambda: take_turn(service, stops(here)))
            signed = counted(service, attempt.c.hash)
            again = await desk.run(lambda: take_turn(service, stops(here)))
            assert [answer.accepted for answer in again] == [True] * COUNT
            assert counted(service, attempt.c.hash) == signed

        on_forecourt(tmp_path, story)

    @pytest.mark.parametrize("step", ["committed", "sending", "sent", "looking", "settled"])
    def test_are_refunded_once_however_the_delivery_ends(self, tmp_path, step):
        async def story(here):
            service, desk = here.running.service, here.running.desk
            signed = counted(service, intent.c.id)
            steps = service.outbox.steps
            service.outbox.steps = Walked(over=step)
            found = await desk.run(lambda: take_turn(service, stops(here)))
            assert [type(one) for one in found] == [ChainUnavailable] * COUNT
            service.outbox.steps = steps
            await desk.run(lambda: advance(service))
            assert states(service) == [("closed", 0)] * COUNT
            assert counted(service, intent.c.id) == signed + COUNT

        on_forecourt(tmp_path, story)


class TestClosingsReadTogether:
    def test_are_posted_each_at_the_time_of_its_own_block(self, tmp_path):
        async def story(here):
            service, desk = here.running.service, here.running.desk
            steps = service.outbox.steps
            service.outbox.steps = Walked(over="committed")
            await desk.run(lambda: take_turn(service, stops(here)))
            service.outbox.steps = steps
            await desk.run(lambda: advance(service, parcel=1))
            with service.reading() as connection:
                closed = {
                    json.loads(body)["sessionId"]: at_s
                    for body, at_s in connection.execute(
                        select(observed.c.body, block.c.timestamp_s)
                        .join(block, block.c.hash == observed.c.block_hash)
                        .where(observed.c.name == "SessionClosed")
                    )
                }
                posted = connection.execute(
                    select(transfer.c.trace_id, transfer.c.at_s).where(transfer.c.code == "charge")
                ).all()
            assert len(set(closed.values())) == COUNT
            assert sorted(posted) == sorted(closed.items())

        on_forecourt(tmp_path, story)


class TestWhatAStopCosts:
    def test_is_so_many_statements_until_it_is_signed_and_committed(self, tmp_path):
        counts = []

        class Counted(Walked):
            """Notes what was asked until the turn is committed, from then on blocks decide."""

            asked = 0

            def reach(self, step):
                if step == "committed":
                    counts.append(self.asked)

            def note(self, *_statement):
                self.asked += 1

        async def story(here):
            service, works = here.running.service, stops(here)
            for part in (works[:1], works[1:]):
                counted = service.outbox.steps = Counted()
                listening.listen(service.database, "before_cursor_execute", counted.note)
                await here.running.desk.run(lambda part=part: take_turn(service, part))
                listening.remove(service.database, "before_cursor_execute", counted.note)
            assert states(service) == [("closed", 0)] * COUNT

        on_forecourt(tmp_path, story)
        one, rest = counts
        # Whoever ends together waits for each statement of all the others.
        assert rest - one == (COUNT - 2) * STATEMENTS

    def test_leaves_out_a_walk_of_the_collector_over_what_a_service_is_made_of(self, tmp_path):
        async def story(_here):
            assert gc.get_freeze_count() > len(gc.get_objects())

        on_forecourt(tmp_path, story)
        assert gc.get_freeze_count() == 0


class TestTheMeasurement:
    def test_sees_every_refund_over_the_real_protocol(self, tmp_path):
        found = measure(tmp_path / "measured", stream=6, burst=2)
        assert [len(found.stream_us), *map(len, found.bursts_us)] == [6, 2, 2, 2]
        assert min(found.stream_us) > 0

    def test_takes_the_smallest_value_that_so_many_do_not_exceed(self):
        assert [percentile(range(1, 101), rank) for rank in (50, 99, 100)] == [50, 99, 100]
        assert percentile((7,), 99) == 7
