"""Receipts and tables of real sessions, asked for over HTTP, held against books, log and chain."""

import csv
import io
import json
from decimal import Decimal

import openpyxl
import pypdf
from defusedxml.ElementTree import fromstring
from sqlalchemy import delete, func, select, text, update

from ledger.proofs import check_inclusion, parse_head, parse_note
from ledger.tables import entry
from settlement.engine.checkpoints.published import LEAF_HASH, SEQ
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_signatures import public_key_of, verify_record_der
from settlement.tables import charge_line, observed, run, session, slice_


def closed(story):
    return story.read(select(session).where(session.c.state == "closed"))


async def receipt_of(story, identity):
    answer = await story.client.get(f"/api/sessions/{identity}/receipt.json")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_every_receipt_says_what_books_chain_and_meter_say(story):
    async def work(story):
        rows = closed(story)
        events = story.read(select(observed).where(observed.c.name == "SessionClosed"))
        chain = {one["transaction_hash"]: one for one in events}
        for row in rows:
            found = await receipt_of(story, row["session_id"])
            money = found["money"]
            assert found["paid"] is True
            assert int(money["charge_micros"]) == row["charge_micros"]
            assert int(money["refund_micros"]) == row["deposit_micros"] - row["charge_micros"]
            assert sum(int(one["gross_micros"]) for one in money["lines"]) == row["charge_micros"]
            assert sum(int(one["vat_micros"]) for one in money["vat"]) == row["vat_micros"]
            event = chain[found["refund"]["transaction"]]
            assert found["refund"]["block"] == event["block_number"]
            body = json.loads(event["body"])
            assert body["sessionId"] == row["session_id"]
            assert int(body["refundMicros"]) == int(found["refund"]["amount_micros"])
            record = parse_record(found["record"])
            verify_record_der(record, public_key_of(found["meter"]["public_key_der"]))
            begin, end = (
                Decimal(found["energy"][name]["register"].split()[0]) for name in ("begin", "end")
            )
            assert (end - begin) * 1_000 == found["energy"]["energy_wh"] == row["energy_wh"]
        return len(rows)

    assert story(work) > 30


def test_the_log_proves_what_a_receipt_points_to(story):
    async def work(story):
        row = closed(story)[0]
        found = await receipt_of(story, row["session_id"])
        codes = {one["code"]: one for one in found["log"]}
        assert {"deposit", "hold", "charge", "refund"} <= set(codes)
        proof = (await story.client.get(codes["charge"]["proof"])).json()
        assert proof["index"] == codes["charge"]["entry"]
        leaf = story.read(select(LEAF_HASH.label("leaf")).where(proof["index"] == SEQ))[0]["leaf"]
        assert proof["leaf_hash"] == f"0x{leaf.hex()}"
        head = parse_head(parse_note(proof["checkpoint"].encode()).text)
        path = [bytes.fromhex(one[2:]) for one in proof["proof"]]
        check_inclusion(head.root, head.size, proof["index"], leaf, path)
        text = story.read(select(entry).where(entry.c.seq == proof["index"]))[0]
        return row["session_id"], text["trace_id"]

    identity, trace_id = story(work)
    assert trace_id == identity


def test_the_sun_of_all_sessions_is_the_sun_that_the_runs_sold_to_cars(story):
    async def work(story):
        total = Decimal(0)
        for row in closed(story):
            total += Decimal((await receipt_of(story, row["session_id"]))["sun"]["energy_wh"])
        slices = story.read(select(func.count(func.distinct(slice_.c.session_id)).label("n")))
        sold = story.read(select(func.sum(run.c.sun_to_cars_wh).label("wh")))[0]["wh"]
        return total, sold, slices[0]["n"]

    total, sold, sessions = story(work)
    # Each session's share is shown to the thousandth of a Wh, and may be off by half of one.
    assert abs(total - sold) * 2_000 <= sessions
    assert sold > 0


def test_paper_and_signed_values_come_over_http(story):
    async def work(story):
        base = f"/api/sessions/{closed(story)[0]['session_id']}"
        found = await receipt_of(story, base.rpartition("/")[2])
        french = {"accept-language": "fr-FR,fr;q=0.9"}
        papers = [
            await story.client.get(f"{base}/receipt.pdf"),
            await story.client.get(f"{base}/receipt.pdf", headers=french),
            await story.client.get(f"{base}/receipt.pdf?lang=fr"),
            await story.client.get(f"{base}/receipt.pdf?lang=de"),
        ]
        return found, papers, await story.client.get(f"{base}/signed.xml")

    found, (english, french, asked, german), xml = story(work)
    assert english.headers["content-type"] == "application/pdf"
    assert (
        "Charging receipt" in pypdf.PdfReader(io.BytesIO(english.content)).pages[0].extract_text()
    )
    assert "Reçu" in pypdf.PdfReader(io.BytesIO(french.content)).pages[0].extract_text()
    assert french.content == asked.content
    assert (german.status_code, german.json()["code"]) == (422, "malformed_request")
    assert xml.headers["content-type"].startswith("application/xml")
    assert fromstring(xml.content)[0][1].text == found["record"]


def test_the_table_holds_every_session_and_sums_to_the_books(story):
    async def work(story):
        rows = closed(story)
        answer = await story.client.get("/api/sessions.csv")
        book = await story.client.get("/api/sessions.xlsx?lang=fr")
        return rows, answer, book

    rows, answer, book = story(work)
    table = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert {one["Session"] for one in table} == {row["session_id"] for row in rows}
    for heading, column in (
        ("Price, VAT included", "charge_micros"),
        ("VAT in it", "vat_micros"),
        ("Refund", "refund_micros"),
        ("Deposit", "deposit_micros"),
    ):
        total = sum(Decimal(one[heading]) for one in table)
        assert total * 1_000_000 == sum(row[column] for row in rows)
    energy = sum(Decimal(one["Charged energy (kWh)"]) for one in table)
    assert energy * 1_000 == sum(row["energy_wh"] for row in rows)
    sheet = openpyxl.load_workbook(io.BytesIO(book.content)).active
    assert sheet.max_row == len(rows) + 1
    assert sheet["C1"].value == "Borne"


def test_the_table_can_be_narrowed(story):
    async def work(story):
        rows = closed(story)
        one = rows[len(rows) // 2]
        found = {}
        for name, query in {
            "station": f"station={one['station_id']}",
            "driver": f"driver={one['driver'].upper().replace('0X', '0x')}",
            "from": f"from_s={one['opened_s']}",
            "until": f"until_s={one['opened_s']}",
            "nobody": "driver=0x" + "00" * 20,
        }.items():
            answer = await story.client.get(f"/api/sessions.csv?{query}")
            text = answer.content.decode("utf-8-sig")
            table = csv.DictReader(io.StringIO(text, newline=""))
            found[name] = {line["Session"] for line in table}
        bad = await story.client.get("/api/sessions.csv?driver=somebody")
        return rows, one, found, bad

    rows, one, found, bad = story(work)

    def those(keep):
        return {row["session_id"] for row in rows if keep(row)}

    assert found == {
        "station": those(lambda row: row["station_id"] == one["station_id"]),
        "driver": those(lambda row: row["driver"] == one["driver"]),
        "from": those(lambda row: row["opened_s"] >= one["opened_s"]),
        "until": those(lambda row: row["opened_s"] < one["opened_s"]),
        "nobody": set(),
    }
    assert bad.json()["code"] == "malformed_request"


def test_there_is_no_receipt_of_what_is_unknown_or_not_over(own_story):
    async def work(story):
        row = closed(story)[0]
        story.write(
            session.update()
            .where(session.c.session_id == row["session_id"])
            .values(state="charging")
        )
        found = []
        for identity in ("0x00", row["session_id"]):
            for name in ("receipt.json", "receipt.pdf"):
                answer = await story.client.get(f"/api/sessions/{identity}/{name}")
                found.append((answer.status_code, answer.json()["code"]))
        return found

    assert own_story(work) == [
        (404, "unknown_session"),
        (404, "unknown_session"),
        (409, "not_settled"),
        (409, "not_settled"),
    ]


def test_a_receipt_shows_the_same_lines_before_the_charge_is_final(own_story):
    async def work(story):
        identity = closed(story)[0]["session_id"]
        after = await receipt_of(story, identity)
        triggers = text(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'charge_line'"
        )
        for row in story.read(triggers):
            story.write(text(f"DROP TRIGGER {row['name']}"))
        one = session.c.session_id == identity
        story.write(delete(charge_line).where(charge_line.c.session_id == identity))
        story.write(update(session).where(one).values(state="closing"))
        return after["money"], (await receipt_of(story, identity))["money"]

    after, before = own_story(work)
    assert after["lines"]
    assert before == after
