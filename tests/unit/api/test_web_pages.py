"""The pages are true without a script, in both languages, in every state, for hostile input too."""

import copy
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.web.pages import mount_static, pages_router
from ledger.errors import NotFound

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
SESSION = "0x" + "5e" * 32
RUN = "sierra/415070/7"
LAWS = {f"L{number}": {"ok": True, "text": "holds"} for number in range(1, 12)}

STARTING: dict[str, Any] = {
    "community": {
        "id": "sierra",
        "name": "Sierra Crest",
        "currency": "EUR",
        "interval_s": 3600,
        "time_zone": "UTC-07:00",
        "utc_offset_minutes": -420,
    },
    "state": "starting",
    "clock": {"now_s": None, "first_s": None, "last_s": None, "progress_bp": None},
    "planned": {"intervals": 168, "sessions": 233},
    "totals": {
        "intervals": 0,
        "sessions_open": 0,
        "sessions_closed": 0,
        "requested_wh": 0,
        "delivered_wh": 0,
        "traded_wh": 0,
        "traded_home_to_home_wh": 0,
        "sun_to_cars_wh": 0,
        "moved_micros": "0",
        "neighbour_micros": "0",
        "deposited_micros": "0",
        "charged_micros": "0",
        "refunded_micros": "0",
        "tolls_micros": "0",
        "levy_micros": "0",
        "trade_vat_micros": "0",
        "vat_micros": "0",
        "chain_transactions": 0,
        "quarantined": 0,
    },
    "refund_ms": None,
    "laws": {name: {"ok": None, "text": "unchecked"} for name in LAWS},
    "ledger_equals_chain": None,
    "reconciliation": {"open": 0, "block": None},
    "intervals": [],
    "sessions": [],
    "quarantine": [],
    "chain": {"chain_id": 1, "block": None, "head": None},
}


def settled() -> dict[str, Any]:
    state = copy.deepcopy(STARTING)
    state["state"] = "settled"
    state["clock"] = {"now_s": 1494250693, "first_s": 1, "last_s": 2, "progress_bp": 1234}
    state["totals"] |= {
        "traded_wh": 1186169,
        "sun_to_cars_wh": 784018,
        "delivered_wh": 1917881,
        "deposited_micros": "1396870000",
        "refunded_micros": "645634000",
        "moved_micros": "1234567890",
        "quarantined": 1,
    }
    state["refund_ms"] = {"p50": 12, "p99": 1235, "count": 3}
    state["laws"] = copy.deepcopy(LAWS)
    state["ledger_equals_chain"] = True
    state["intervals"] = [
        {
            "interval": 415070,
            "start_s": 1494252000,
            "run": 7,
            "traded_wh": 4321,
            "stations_wh": 9000,
            "sun_to_cars_wh": 1321,
            "surplus_wh": 5000,
            "deficit_wh": 9999,
            "price_micros_per_kwh": 117345,
            "root": "0x" + "ab" * 32,
            "transaction": None,
            "trace_id": RUN,
            "state": "final",
        }
    ]
    state["sessions"] = [
        {
            "session_id": SESSION,
            "trace_id": SESSION,
            "station": "CA-314",
            "state": "closed",
            "opened_s": 1494250693,
            "deposit_micros": "8560000",
            "energy_wh": 18729,
            "charge_micros": "7336149",
            "refund_micros": "1223851",
            "refund_ms": 9,
            "transaction": None,
        }
    ]
    state["quarantine"] = [
        {
            "at_s": 1494250693,
            "kind": "reading",
            "code": "wrong_signer",
            "detail": HOSTILE,
            "source": HOSTILE,
        }
    ]
    return state


def trace(trace_id: str) -> Mapping[str, Any]:
    if trace_id not in {SESSION, RUN}:
        raise NotFound("unknown_trace", f"nothing carries {trace_id}")
    chain = {"hash": "0xcd", "block": 12, "gas_used": None, "final": True}
    return {
        "trace_id": trace_id,
        "kind": "session" if trace_id == SESSION else "interval",
        "steps": [
            {"step": "message", "at_s": 1494250693, "title": HOSTILE, "detail": {"from": HOSTILE}},
            {
                "step": "transfer",
                "at_s": 1494250693,
                "title": "posted refund",
                "detail": {"debit": "eur/x", "credit": "eur/world", "amount": "1223851"},
            },
            {"step": "transaction", "at_s": None, "title": "ChargeVault.open", "detail": chain},
            {"step": "event", "at_s": None, "title": "SessionOpened", "detail": {"a": [1, {}]}},
        ],
    }


def browser(state: Mapping[str, Any], **headers: str) -> TestClient:
    app = FastAPI()
    app.include_router(pages_router(lambda: state, trace, state["community"]))
    mount_static(app)
    return TestClient(app, headers=headers)


def text_of(page: str) -> str:
    """Return what a reader sees, templates for the script left out."""
    shown = re.sub(r"<template.*?</template>|<[^>]*>", " ", page, flags=re.DOTALL)
    return re.sub(r"[ \n]+", " ", shown)


class TestDashboard:
    def test_says_first_what_it_is(self):
        page = text_of(browser(settled()).get("/").text)
        what = "A real week of 17 homes and 233 charging sessions, dates shifted and combined."
        assert what in page
        assert page.index(what) < page.index("Sold between neighbours")

    def test_shows_the_figures_in_english(self):
        page = text_of(browser(settled()).get("/").text)
        for figure in ("1,186.2\u00a0kWh", "645.63\u00a0EUR", "46.2%", "12\u00a0ms", "1.24\u00a0s"):
            assert figure in page
        assert "Mon 8 May 2017, 06:38" in page
        assert "UTC-07:00" in page

    def test_shows_the_figures_in_french(self):
        page = text_of(browser(settled()).get("/?lang=fr").text)
        for figure in ("1\u202f186,2\u00a0kWh", "645,63\u00a0EUR", "46,2\u202f%", "1,24\u00a0s"):
            assert figure in page
        assert "lun. 8 mai 2017, 06:38" in page
        assert "Une vraie semaine de 17 maisons et 233 recharges" in page

    def test_links_sessions_and_intervals_to_their_traces(self):
        page = browser(settled()).get("/").text
        assert f'href="/trace/{SESSION}"' in page
        assert f'href="/trace/{RUN}"' in page

    def test_draws_the_chart_without_a_script(self):
        page = browser(settled()).get("/").text
        plot = re.search(r'<svg class="plot".*?</svg>', page, re.DOTALL)
        assert plot is not None
        assert re.findall(r'<rect [^>]*class="(\w+)"', plot[0]) == [
            "homes",
            "cars",
            "grid",
            "supplier",
        ]

    def test_every_table_has_a_caption_and_headed_rows(self):
        page = browser(settled()).get("/").text
        tables = re.findall(r"<table.*?</table>", page, re.DOTALL)
        assert len(tables) == 4
        for table in tables:
            assert "<caption>" in table
            assert 'scope="col"' in table
            assert 'scope="row"' in table

    def test_stands_before_anything_has_happened(self):
        answer = browser(STARTING).get("/?lang=fr")
        page = text_of(answer.text)
        assert answer.status_code == 200
        assert "Aucune voiture ne s\u2019est encore branchée." in page
        assert "pas encore vérifiée" in page
        assert "None" not in page
        assert 'value="\u2013"' not in answer.text

    def test_hides_alerts_while_all_is_well(self):
        page = browser(settled()).get("/").text
        assert len(re.findall(r'<div class="alert"[^>]* hidden=""', page)) == 2

    def test_names_the_law_that_is_broken(self):
        state = settled()
        state["laws"]["L3"] = {"ok": False, "text": f"interval 9: {HOSTILE}"}
        state["ledger_equals_chain"] = False
        page = browser(state).get("/").text
        assert not re.findall(r'<div class="alert"[^>]* hidden=""', page)
        assert "10 of 11" in text_of(page)
        assert re.search(r"<code[^>]*laws\.L3\.text[^>]*>interval 9: ", page)
        assert re.search(r'<code[^>]*laws\.L4\.text[^>]* hidden=""', page)
        assert "<script>alert" not in page

    def test_escapes_what_came_from_outside(self):
        state = settled()
        state["quarantine"][0]["code"] = HOSTILE
        page = browser(state).get("/").text
        assert "<script>alert" not in page
        assert "<img" not in page
        assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3
        assert not re.findall(r"<[^>]*\son\w+=", re.sub(r'"[^"]*"', '""', page))

    def test_gives_the_script_what_it_needs_in_one_attribute(self):
        page = browser(settled()).get("/").text
        found = re.search(r'<body data-voice="([^"]*)"', page)
        assert found is not None
        voice = json.loads(found[1].replace("&#34;", '"').replace("&#39;", "'"))
        assert voice["utcOffsetMinutes"] == -420
        assert voice["words"]["word.state.settled"] == "Week settled"

    def test_knows_its_rows_again(self):
        page = browser(settled()).get("/").text
        assert f'data-key="{SESSION}"' in page
        assert page.count(f'data-key="{RUN}"') == 2


class TestLanguage:
    def test_follows_the_browser(self):
        assert '<html lang="fr">' in browser(STARTING, **{"accept-language": "fr"}).get("/").text
        assert '<html lang="en">' in browser(STARTING, **{"accept-language": "de"}).get("/").text

    def test_is_remembered_once_asked_for(self):
        visitor = browser(STARTING, **{"accept-language": "en"})
        answer = visitor.get("/?lang=fr")
        assert "samesite=lax" in answer.headers["set-cookie"].lower()
        assert '<html lang="fr">' in visitor.get("/").text

    def test_is_not_remembered_if_there_is_no_such_language(self):
        answer = browser(STARTING).get("/?lang=xx")
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers

    def test_can_be_switched_on_every_page(self):
        for path in ("/", f"/trace/{SESSION}", "/trace/nothing"):
            page = browser(settled()).get(path).text
            assert f'href="{path}?lang=fr" lang="fr"' in page
            assert 'lang="en" hreflang="en" aria-current="true"' in page


class TestTracePage:
    @pytest.mark.parametrize("language", ["en", "fr"])
    @pytest.mark.parametrize("trace_id", [SESSION, RUN])
    def test_shows_every_step(self, trace_id, language):
        answer = browser(settled()).get(f"/trace/{trace_id}?lang={language}")
        assert answer.status_code == 200
        assert trace_id in answer.text
        assert "posted refund" in answer.text
        assert answer.text.count("<details") == 4

    def test_keeps_a_transaction_and_its_events_together(self):
        page = browser(settled()).get(f"/trace/{SESSION}").text
        headings = re.findall(r'<h2 id="heading-\d">([^<]*) <small>(\d+)', page)
        assert [count for _, count in headings] == ["1", "1", "2"]

    def test_shows_money_with_its_unit(self):
        assert "1.22\u00a0EUR" in browser(settled()).get(f"/trace/{SESSION}").text

    def test_escapes_what_came_from_outside(self):
        page = browser(settled()).get(f"/trace/{SESSION}").text
        assert "<script>alert" not in page
        assert "<img" not in page

    @pytest.mark.parametrize(
        ("language", "said"),
        [("en", "Nothing carries this trace id"), ("fr", "Rien ne porte cet identifiant")],
    )
    def test_an_unknown_id_is_not_found_in_both_languages(self, language, said):
        answer = browser(settled()).get(f"/trace/sierra/1/1?lang={language}")
        assert answer.status_code == 404
        assert said in answer.text
        assert "sierra/1/1" in answer.text

    def test_an_unknown_hostile_id_is_escaped(self):
        answer = browser(settled()).get("/trace/%3Cscript%3Ealert(1)%3C/script%3E")
        assert answer.status_code == 404
        assert "<script>alert" not in answer.text


class TestHeaders:
    @pytest.mark.parametrize(
        "path", ["/", f"/trace/{SESSION}", "/trace/nothing", "/static/live.js"]
    )
    def test_let_nothing_in_from_elsewhere_and_nothing_run_inline(self, path):
        headers = browser(settled()).get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"

    def test_keep_pages_out_of_caches_and_static_files_fresh(self):
        visitor = browser(settled())
        page = visitor.get("/")
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["vary"] == "Accept-Language, Cookie"
        assert visitor.get("/static/site.css").headers["cache-control"] == "no-cache"

    def test_every_file_a_page_names_is_there(self):
        visitor = browser(settled())
        page = visitor.get("/").text
        named = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page))
        assert len(named) == 3
        for path in [*named, "/static/formats.js", "/static/chart.js"]:
            assert visitor.get(path).status_code == 200


def test_a_street_in_service_is_not_called_a_week():
    state = copy.deepcopy(STARTING) | {"state": "serving"}
    page = browser(state).get("/?lang=en").text
    assert "A street of charging stations, now." in page
    assert 'href="/s"' in page
    assert "17 homes" not in page
    assert "17 homes" in browser(STARTING).get("/?lang=en").text
