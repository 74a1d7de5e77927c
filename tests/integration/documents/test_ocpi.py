"""OCPI 2.2.1 of real sessions: pages, credentials, records pushed and credited."""

import base64
import json
from decimal import Decimal

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError

from settlement.charging.documents.issuer import ocpi_id
from settlement.tables import cdr, session, subscriber
from tests.integration.documents.receiver import Receiver, receiving
from tests.unit.settlement.documents.test_cdr import CDR, faults

TAKEN = (200, json.dumps({"status_code": 1000, "timestamp": "x"}).encode())


def bearing(token):
    return {"authorization": "Token " + base64.b64encode(token.encode()).decode()}


async def invite(story, **more):
    answer = await story.client.post("/api/emsps", json={"id": "DE-ABC"} | more)
    assert answer.status_code == 201, answer.text
    return bearing(answer.json()["token"])


async def ask(story, path, headers, **query):
    answer = await story.client.get(f"/ocpi/{path}", headers=headers, params=query)
    return answer, json.loads(answer.text, parse_float=Decimal)


async def all_pages(story, path, headers, **query):
    """Follow the links to the end."""
    found, seen = [], 0
    answer, body = await ask(story, path, headers, **query)
    while True:
        seen += 1
        found += body["data"]
        if "link" not in answer.headers:
            return found, seen, answer
        url = answer.headers["link"].removeprefix("<").removesuffix('>; rel="next"')
        answer = await story.client.get(url, headers=headers)
        body = json.loads(answer.text, parse_float=Decimal)


class TestRecords:
    def test_there_is_one_of_every_closed_session_and_each_keeps_to_the_standard(self, story):
        async def work(story):
            headers = await invite(story)
            rows = story.read(select(session).where(session.c.state == "closed"))
            return rows, await all_pages(story, "cpo/2.2.1/cdrs", headers, limit=7)

        rows, (found, pages, answer) = story(work)
        assert pages == -(-len(rows) // 7)
        assert answer.headers["x-total-count"] == str(len(rows))
        assert answer.headers["x-limit"] == "100"
        assert [fault for one in found for fault in faults(one, CDR)] == []
        by_session = {one["session_id"]: one for one in found}
        assert set(by_session) == {ocpi_id(row["session_id"]) for row in rows}
        for row in rows:
            one = by_session[ocpi_id(row["session_id"])]
            assert one["total_cost"]["incl_vat"] * 1_000_000 == row["charge_micros"]
            net = row["charge_micros"] - row["vat_micros"]
            assert one["total_cost"]["excl_vat"] * 1_000_000 == net
            assert one["total_energy"] * 1_000 == row["energy_wh"]
            parts = [part for period in one["charging_periods"] for part in period["dimensions"]]
            energies = [part["volume"] for part in parts if part["type"] == "ENERGY"]
            assert sum(energies) == one["total_energy"]

    def test_they_are_the_same_bytes_whenever_they_are_asked_for(self, story):
        async def work(story):
            headers = await invite(story)
            first, _ = await ask(story, "cpo/2.2.1/cdrs", headers)
            second, _ = await ask(story, "cpo/2.2.1/cdrs", headers)
            return first.text, second.text, len(story.read(select(cdr)))

        first, second, kept = story(work)
        assert first == second
        assert kept > 30

    def test_no_record_can_be_changed_or_removed(self, story):
        async def work(story):
            await ask(story, "cpo/2.2.1/cdrs", await invite(story))
            for statement in ("UPDATE cdr SET body = ''", "DELETE FROM cdr"):
                with pytest.raises(IntegrityError):
                    story.write(text(statement))
            return len(story.read(select(cdr)))

        assert story(work) > 30

    def test_a_part_of_time_is_asked_for_from_and_up_to(self, story):
        async def work(story):
            headers = await invite(story)
            _, before = await ask(story, "cpo/2.2.1/cdrs", headers)
            issued = before["data"][0]["last_updated"]
            found = []
            for query in (
                {"date_from": issued},
                {"date_to": issued},
                {"date_from": issued.removesuffix("Z")},
                {"date_from": issued.replace("Z", ".5Z")},
                {"offset": "10000"},
            ):
                answer, body = await ask(story, "cpo/2.2.1/cdrs", headers, **query)
                found.append((answer.headers["x-total-count"], len(body["data"])))
            bad, body = await ask(story, "cpo/2.2.1/cdrs", headers, date_from="yesterday")
            return found, str(len(before["data"])), bad.status_code, body["status_code"]

        found, total, status, code = story(work)
        count = int(total)
        assert found == [(total, count), ("0", 0), (total, count), ("0", 0), (total, 0)]
        assert (status, code) == (400, 2000)

    def test_there_is_none_of_a_session_that_is_not_closed(self, own_story):
        async def work(story):
            rows = story.read(select(session).where(session.c.state == "closed"))
            for row, state in zip(rows, ("expired", "charging", "closing"), strict=False):
                one = session.c.session_id == row["session_id"]
                story.write(update(session).where(one).values(state=state))
            _, found = await ask(story, "cpo/2.2.1/cdrs", await invite(story))
            return rows, {one["session_id"] for one in found["data"]}

        rows, found = own_story(work)
        assert found == {ocpi_id(row["session_id"]) for row in rows[3:]}


class TestCorrections:
    def test_a_credit_takes_the_old_one_back_and_a_new_one_follows(self, own_story):
        async def work(story):
            headers = await invite(story)
            _, before = await ask(story, "cpo/2.2.1/cdrs", headers)
            old = before["data"][0]
            named = [
                row["session_id"]
                for row in story.read(select(session))
                if ocpi_id(row["session_id"]) == old["session_id"]
            ]
            changed = session.c.session_id == named[0]
            story.write(update(session).where(changed).values(stopped_s=session.c.stopped_s + 60))
            url = f"/api/cdrs/{old['id']}/corrections"
            answer = await story.client.post(url)
            _, after = await ask(story, "cpo/2.2.1/cdrs", headers, offset=len(before["data"]))
            codes = []
            for one in (old["id"], *answer.json().values(), "nothing"):
                again = await story.client.post(f"/api/cdrs/{one}/corrections")
                codes.append(again.json()["code"])
            return old, answer.json(), after["data"], codes

        old, answer, (credit, fresh), codes = own_story(work)
        assert answer == {"credit": credit["id"], "record": fresh["id"]}
        assert [*faults(credit, CDR), *faults(fresh, CDR)] == []
        assert (credit["credit"], credit["credit_reference_id"]) == (True, old["id"])
        for name in ("excl_vat", "incl_vat"):
            assert credit["total_cost"][name] == -old["total_cost"][name]
        assert credit["total_energy_cost"] == old["total_energy_cost"]
        assert "credit" not in fresh
        assert "credit_reference_id" not in fresh
        assert fresh["end_date_time"] > old["end_date_time"]
        assert len({old["id"], credit["id"], fresh["id"]}) == 3
        assert codes == ["cdr_credited", "cdr_credited", "cdr_unchanged", "unknown_cdr"]

    def test_nothing_is_credited_that_says_what_is_so(self, story):
        async def work(story):
            _, found = await ask(story, "cpo/2.2.1/cdrs", await invite(story))
            answers = [
                (await story.client.post(f"/api/cdrs/{one['id']}/corrections")).json()["code"]
                for one in found["data"]
            ]
            return answers, len(found["data"]), len(story.read(select(cdr)))

        answers, before, after = story(work)
        assert set(answers) == {"cdr_unchanged"}
        assert before == after


class TestPush:
    def test_each_record_is_pushed_in_order_and_a_refused_one_again(self, story):
        async def work(story):
            refusal = (200, json.dumps({"status_code": 2001, "status_message": "no"}).encode())
            async with receiving(Receiver([TAKEN, refusal, (503, b""), TAKEN])) as receiver:
                await invite(story, url=receiver.url, token="theirs", from_start=True)  # noqa: S106
                errors = []
                for _ in range(4):
                    await story.deliver()
                    row = story.read(select(subscriber))[0]
                    errors.append(row["last_error"])
                    story.clock.at_s = max(story.clock.at_s, row["next_try_s"])
                kept = [row["body"].encode() for row in story.read(select(cdr).order_by(cdr.c.seq))]
                return receiver, kept, errors

        receiver, kept, errors = story(work)
        assert receiver.bodies() == [kept[0], kept[1], kept[1], *kept[1:]]
        assert errors == ["OCPI status 2001: no", "answered 503", "", ""]
        assert {one[2]["authorization"] for one in receiver.seen} == {
            bearing("theirs")["authorization"]
        }

    def test_one_who_only_asks_is_sent_nothing(self, story):
        async def work(story):
            await invite(story, from_start=True)
            return await story.deliver()

        assert story(work) == 0


class TestCredentials:
    def test_a_stranger_learns_nothing(self, story):
        async def work(story):
            found = []
            for headers in (
                {},
                bearing("wrong"),
                {"authorization": "Token wrong!"},
                {"authorization": "Basic eDp5"},
            ):
                for path in ("versions", "2.2.1", "2.2.1/credentials", "cpo/2.2.1/cdrs"):
                    answer, body = await ask(story, path, headers)
                    found.append((answer.status_code, body["status_code"], "data" in body))
            return found

        assert set(story(work)) == {(401, 2000, False)}

    def test_versions_lead_to_every_module(self, story):
        async def work(story):
            headers = await invite(story) | {"x-request-id": "r1", "x-correlation-id": "c1"}
            answer, versions = await ask(story, "versions", headers)
            url = versions["data"][0]["url"]
            details = (await story.client.get(url, headers=headers)).json()["data"]
            statuses = {
                one["identifier"]: (await story.client.get(one["url"], headers=headers)).status_code
                for one in details["endpoints"]
            }
            return answer, versions, statuses

        answer, versions, statuses = story(work)
        assert (answer.headers["x-request-id"], answer.headers["x-correlation-id"]) == ("r1", "c1")
        assert (versions["status_code"], versions["data"][0]["version"]) == (1000, "2.2.1")
        assert statuses == dict.fromkeys(("credentials", "cdrs", "sessions", "tariffs"), 200)

    def test_an_emsp_registers_and_is_pushed_what_follows(self, story):
        async def work(story):
            async with receiving(Emsp()) as emsp:
                headers = await invite(story, from_start=True)
                given = {"token": "their-token", "url": emsp.url, "roles": []}
                url = "/ocpi/2.2.1/credentials"
                early = await story.client.put(url, headers=headers, json=given)
                made = await story.client.post(url, headers=headers, json=given)
                token = made.json()["data"]["token"]
                stale = await story.client.get(url, headers=headers)
                again = await story.client.post(url, headers=bearing(token), json=given)
                read = await story.client.get(url, headers=bearing(token))
                count = await story.deliver()
                gone = await story.client.delete(url, headers=bearing(token))
                after = await story.client.get(url, headers=bearing(token))
                statuses = [one.status_code for one in (early, made, stale, again, gone, after)]
                return statuses, made.json(), read.json(), token, emsp, count

        statuses, made, read, token, emsp, count = story(work)
        assert statuses == [409, 200, 401, 409, 200, 401]
        assert made["data"]["roles"][0]["role"] == "CPO"
        assert read["data"]["token"] == token
        pushed = [one for one in emsp.seen if one[0] == "POST"]
        assert len(pushed) == count > 30
        assert {one[1] for one in pushed} == {"/receiver/cdrs"}
        theirs = bearing("their-token")["authorization"]
        assert {one[2]["authorization"] for one in emsp.seen} == {theirs}

    @pytest.mark.parametrize("answers", [[(200, b"{}")], [(200, b"no")], [(0, b"")]])
    def test_one_whose_endpoints_cannot_be_read_is_not_connected(self, story, answers):
        async def work(story):
            async with receiving(Receiver(answers)) as emsp:
                headers = await invite(story)
                given = {"token": "t", "url": emsp.url}
                url = "/ocpi/2.2.1/credentials"
                made = await story.client.post(url, headers=headers, json=given)
                still, _ = await ask(story, "versions", headers)
                return made.status_code, made.json()["status_message"], still.status_code

        status, message, still = story(work)
        assert (status, still) == (400, 200)
        assert message.startswith("partner_unreadable")

    def test_of_the_token_that_it_sends_only_a_hash_is_kept(self, story):
        async def work(story):
            answer = await story.client.post("/api/emsps", json={"id": "DE-ABC"})
            listed = await story.client.get("/api/emsps")
            return answer.json()["token"], str(story.read(select(subscriber))), listed.json()

        token, kept, listed = story(work)
        assert token not in kept
        assert [one["id"] for one in listed["emsps"]] == ["DE-ABC"]
        assert "secret" not in listed["emsps"][0]


class TestLists:
    def test_sessions_say_what_records_say(self, story):
        async def work(story):
            headers = await invite(story)
            records, _, _ = await all_pages(story, "cpo/2.2.1/cdrs", headers)
            sessions, pages, _ = await all_pages(story, "cpo/2.2.1/sessions", headers, limit=10)
            return (
                records,
                sessions,
                pages,
                story.read(select(func.count().label("n")).select_from(session)),
            )

        records, sessions, pages, _ = story(work)
        assert pages > 3
        by_id = {one["id"]: one for one in sessions}
        assert len(by_id) == len(sessions)
        for record in records:
            found = by_id[record["session_id"]]
            assert found["status"] == "COMPLETED"
            assert found["kwh"] == record["total_energy"]
            assert found["total_cost"] == record["total_cost"]

    def test_the_tariff_of_every_record_is_listed(self, story):
        async def work(story):
            headers = await invite(story)
            records, _, _ = await all_pages(story, "cpo/2.2.1/cdrs", headers)
            tariffs, _, _ = await all_pages(story, "cpo/2.2.1/tariffs", headers)
            return records, tariffs

        records, tariffs = story(work)
        used = {period["tariff_id"] for one in records for period in one["charging_periods"]}
        assert used == {one["id"] for one in tariffs} == {"sierra-ac"}


class Emsp(Receiver):
    """An eMSP that says where it takes records."""

    async def answer(self, writer, path):
        base = self.url.removesuffix("/hook")
        found = {
            "/hook": [
                {"version": "2.1.1", "url": "x"},
                {"version": "2.2.1", "url": f"{base}/2.2.1"},
            ],
            "/2.2.1": {
                "version": "2.2.1",
                "endpoints": [
                    {"identifier": "cdrs", "role": "SENDER", "url": "x"},
                    {"identifier": "cdrs", "role": "RECEIVER", "url": f"{base}/receiver/cdrs"},
                ],
            },
        }.get(path)
        self.answers = [(200, json.dumps({"status_code": 1000, "data": found}).encode())]
        await super().answer(writer, path)
