"""Webhooks: signed, at least once, in order, and nobody waits for a subscriber that is down."""

import asyncio
import json
import shutil
from datetime import UTC, datetime

import httpx2
import pytest
from sqlalchemy import select
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from api.embedded import Secrets, embedded_chain, open_service, serving, web3_gateway
from devnet.field.dataset import load_dataset
from devnet.field.parameters import load_parameters
from devnet.field.schedule import build_schedule
from ledger.clock import ReplayClock, SystemClock
from ledger.store.writer import Writer, WriterClosedError
from scripts import neighbourhood
from settlement.engine.charging.documents import subscribers
from settlement.tables import event, subscriber
from tests.integration.community import LEAD_S, SEED
from tests.integration.documents.receiver import Receiver, receiving

SECRET = "whsec_" + "c2VjcmV0" * 4


async def subscribe(story, url, **more):
    body = {"id": "fleet", "url": url, "secret": SECRET, "from_start": True} | more
    return await story.client.post("/api/webhooks", json=body)


def wanted(story):
    rows = story.read(
        select(event).where(event.c.name.in_(subscribers.EVENTS)).order_by(event.c.seq)
    )
    return [(str(row["seq"]), row["name"], row["trace_id"]) for row in rows]


def told(receiver):
    found = [json.loads(body) for body in receiver.bodies()]
    return [(one["id"], one["type"], one["data"]["session_id"]) for one in found]


async def until_done(story, rounds=20):
    for _ in range(rounds):
        if not await story.deliver():
            return


def test_everything_that_happened_comes_in_order_and_signed(story):
    async def work(story):
        async with receiving(Receiver()) as receiver:
            made = await subscribe(story, receiver.url)
            await until_done(story)
            return made, receiver, wanted(story)

    made, receiver, expected = story(work)
    assert (made.status_code, made.json()["secret"]) == (201, SECRET)
    assert told(receiver) == expected
    assert {name for _, name, _ in expected} >= {
        "session_opened",
        "session_started",
        "session_closed",
    }
    method, path, headers, body = receiver.seen[-1]
    assert (method, path, headers["content-type"]) == ("POST", "/hook", "application/json")
    assert headers["webhook-id"] == json.loads(body)["id"]
    moment = datetime.fromtimestamp(1_800_000_000, UTC)
    assert headers["webhook-timestamp"] == "1800000000"
    signed = Webhook(SECRET).sign(headers["webhook-id"], moment, body.decode())
    assert headers["webhook-signature"] == signed


def test_the_librarys_own_check_takes_the_signature_and_no_other(story):
    async def work(story):
        story.clock.at_s = SystemClock().now_s()
        async with receiving(Receiver()) as receiver:
            await subscribe(story, receiver.url)
            await story.deliver()
            return receiver

    _, _, headers, body = story(work).seen[0]
    assert Webhook(SECRET).verify(body, headers)["type"] == "session_opened"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"session_opened", b"session_closed"), headers)


def test_amounts_are_strings_as_everywhere_outside(story):
    async def work(story):
        async with receiving(Receiver()) as receiver:
            await subscribe(story, receiver.url)
            await until_done(story)
            return [json.loads(body) for body in receiver.bodies()]

    closed = [one["data"] for one in story(work) if one["type"] == "session_closed"]
    assert closed
    assert all(isinstance(one["charge_micros"], str) for one in closed)
    assert all(isinstance(one["energy_wh"], int) for one in closed)


@pytest.mark.parametrize("bad", [(500, b""), (302, b""), (404, b""), (0, b"")])
def test_one_that_fails_is_told_again_later_and_the_rest_after_it(story, bad):
    async def work(story):
        async with receiving(Receiver([(200, b""), bad, bad, (200, b"")])) as receiver:
            await subscribe(story, receiver.url)
            counts = [await story.deliver(), await story.deliver()]
            waits = [story.read(select(subscriber))[0]]
            story.clock.at_s = waits[0]["next_try_s"]
            counts.append(await story.deliver())
            waits.append(story.read(select(subscriber))[0])
            story.clock.at_s = waits[1]["next_try_s"]
            await until_done(story)
            return counts, waits, receiver, wanted(story), story.read(select(subscriber))[0]

    counts, waits, receiver, expected, after = story(work)
    assert counts == [1, 0, 0]
    assert [row["failures"] for row in waits] == [1, 2]
    first_s = waits[0]["next_try_s"] - 1_800_000_000
    assert first_s < waits[1]["next_try_s"] - waits[0]["next_try_s"]
    assert waits[0]["last_error"]
    # What failed twice came three times, byte for byte the same; all else came once and in order.
    assert told(receiver) == [*expected[:2], expected[1], expected[1], *expected[2:]]
    assert len(set(receiver.bodies()[1:4])) == 1
    assert (after["failures"], after["last_error"]) == (0, "")


def test_what_was_taken_is_known_after_a_restart_and_what_was_not_comes_again(story):
    async def work(story):
        async with receiving(Receiver([(200, b""), (200, b""), (0, b"")])) as receiver:
            await subscribe(story, receiver.url)
            await story.deliver()
            row = story.read(select(subscriber))[0]
            seen = told(receiver)
            expected = wanted(story)
            return row, seen, expected

    row, seen, expected = story(work)
    assert seen == expected[:3]
    assert row["cursor_seq"] == int(expected[1][0])


def test_what_was_taken_but_not_noted_comes_again_word_for_word(story):
    async def work(story):
        async with receiving(Receiver()) as receiver:
            await subscribe(story, receiver.url)
            noting, gone = (
                story.context.writer,
                Writer(story.service.database, story.clock, book=None),
            )
            gone.start()
            gone.close()
            object.__setattr__(story.context, "writer", gone)
            with pytest.raises(WriterClosedError):
                await story.deliver()
            object.__setattr__(story.context, "writer", noting)
            await until_done(story)
            return receiver, wanted(story)

    receiver, expected = story(work)
    assert told(receiver) == [expected[0], *expected]
    assert receiver.bodies()[0] == receiver.bodies()[1]


def test_one_that_is_down_holds_up_nobody_else(story):
    async def work(story):
        async with receiving(Receiver([(500, b"")])) as down, receiving(Receiver()) as up:
            await subscribe(story, down.url, id="down")
            await subscribe(story, up.url, id="up")
            await until_done(story)
            listed = (await story.client.get("/api/webhooks")).json()["webhooks"]
            return down, up, wanted(story), listed

    down, up, expected, listed = story(work)
    assert told(up) == expected
    assert len(down.seen) == 1
    assert [(one["id"], one["failures"], one["last_error"]) for one in listed] == [
        ("down", 1, "answered 500"),
        ("up", 0, ""),
    ]
    assert SECRET not in json.dumps(listed)


def test_one_that_comes_later_hears_only_what_comes_after(story):
    async def work(story):
        async with receiving(Receiver()) as receiver:
            await subscribe(story, receiver.url, from_start=False)
            return await story.deliver(), receiver.seen

    assert story(work) == (0, [])


def test_one_that_goes_hears_nothing_more(story):
    async def work(story):
        async with receiving(Receiver()) as receiver:
            await subscribe(story, receiver.url)
            gone = await story.client.delete("/api/webhooks/fleet")
            again = await story.client.delete("/api/webhooks/fleet")
            return await story.deliver(), gone.status_code, again.json()["code"]

    assert story(work) == (0, 204, "unknown_subscriber")


def test_what_cannot_be_told_is_refused_by_name(story):
    async def work(story):
        answers = {}
        async with receiving(Receiver()) as receiver:
            good = {"id": "a", "url": receiver.url}
            asked = {
                "first": good,
                "twice": good,
                "slash": good | {"id": "a/b"},
                "short": good | {"id": "b", "secret": "whsec_c2hvcnQ="},
                "no key": good | {"id": "c", "secret": "whsec_!"},
                "no url": good | {"id": "d", "url": "ftp://127.0.0.1/"},
                "unknown": good | {"id": "e", "events": []},
            }
            for name, body in asked.items():
                answer = await story.client.post("/api/webhooks", json=body)
                answers[name] = answer.json().get("code", answer.status_code)
        return answers

    assert story(work) == {
        "first": 201,
        "twice": "subscriber_exists",
        "slash": "bad_subscriber",
        "short": "bad_subscriber",
        "no key": "bad_subscriber",
        "no url": "bad_address",
        "unknown": "malformed_request",
    }


def test_private_addresses_are_refused_unless_they_are_allowed(story):
    async def work(story):
        async with receiving(Receiver()) as receiver:
            await subscribe(story, receiver.url)
            object.__setattr__(story.context, "private_addresses", False)
            counts = await story.deliver()
            return counts, receiver.seen, story.read(select(subscriber))[0]["last_error"]

    count, seen, error = story(work)
    assert (count, seen) == (0, [])
    assert error.startswith("bad_address")


def test_a_service_on_the_wall_clock_tells_by_itself(day, tmp_path):
    async def work():
        directory = tmp_path / "day"
        shutil.copytree(day.directory, directory)
        parameters, dataset = load_parameters(), load_dataset()
        schedule = build_schedule(dataset, parameters, seed=SEED, days=1)
        replay = ReplayClock(schedule.events[-1].at_s)
        async with (
            receiving(Receiver()) as receiver,
            embedded_chain(directory, replay, schedule.first_s - LEAD_S) as (_, url),
        ):
            rules = neighbourhood.rules(parameters, dataset)
            opened = await asyncio.to_thread(
                open_service,
                directory,
                web3_gateway(url),
                SystemClock(),
                rules,
                Secrets.derive(f"seed {SEED}"),
            )
            async with (
                serving(opened, host="127.0.0.1", port=0, status=dict) as running,
                httpx2.AsyncClient(base_url=running.url) as client,
            ):
                made = await client.post(
                    "/api/webhooks", json={"id": "a", "url": receiver.url, "from_start": True}
                )
                assert made.status_code == 201, made.text
                with running.service.reading() as connection:
                    found = select(event.c.seq).where(event.c.name.in_(subscribers.EVENTS))
                    expected = [str(seq) for seq in connection.execute(found).scalars()]
                async with asyncio.timeout(60):
                    await receiver.until(len(expected))
            return expected, [one[2]["webhook-id"] for one in receiver.seen]

    expected, seen = asyncio.run(work())
    assert seen == expected
