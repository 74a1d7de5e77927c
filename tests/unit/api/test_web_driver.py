"""Drivers' pages are whole without a script, in both languages, whatever a session has come to."""

import json
import re
from dataclasses import replace

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.live.track import Track
from api.web.driver import Counter, driver_router
from settlement.engine.charging.quoting import UnknownSessionError, UnknownStationError
from settlement.engine.live.facts import Refund
from settlement.engine.live.street import Outlet
from settlement.pricing.tariffs import Tariff
from tests.unit.api.live.support import CHARGING, told

TARIFF = Tariff("sierra-ac", "EUR", 391_700, 350_000, 2_000)
FINGERPRINT = "0x" + "fe" * 32
SESSION = CHARGING.session_id
ENDED = replace(CHARGING, energy_wh=905, charge_micros=452_500, refund_micros=547_500)


def outlet(station_id):
    if station_id != "CA-314":
        raise UnknownStationError(station_id)
    return Outlet(station_id, 7_400, TARIFF, FINGERPRINT, is_whole=True, components=(), busy=False)


BUSY = Outlet("CA-315", 150_000, TARIFF, FINGERPRINT, is_whole=True, components=(), busy=True)


def client(track=None, *, one=None, offers=("gift",)):
    async def session(session_id):
        if track is None or session_id != SESSION:
            raise UnknownSessionError(session_id)
        return track.view()

    app = FastAPI()
    app.include_router(
        driver_router(
            Counter(
                community={"currency": "EUR", "utc_offset_minutes": 60},
                outlets=lambda: (
                    outlet("CA-314"),
                    Outlet(
                        "CA-315",
                        150_000,
                        TARIFF,
                        FINGERPRINT,
                        is_whole=True,
                        components=(),
                        busy=True,
                    ),
                ),
                outlet=outlet if one is None else lambda _: one,
                connected=lambda: frozenset({"CA-314"}),
                session=session,
                places={"chain_id": 1, "token": "0x1", "vault": "0x2"},
                offers=frozenset(offers),
            )
        )
    )
    return TestClient(app)


def text(page):
    """Return what a reader sees, without tags."""
    body = re.sub(r"<(script|noscript|template)\b.*?</\1>", " ", page.text, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body.partition("<main")[2]).split())


class TestStation:
    def test_shows_the_price_before_anything_else_and_energy_first(self):
        page = text(client().get("/s/CA-314", headers={"accept-language": "en"}))
        order = [page.index(part) for part in ("0.3917 EUR/kWh", "0.35 EUR", "How much?", "wallet")]
        assert order == sorted(order)
        assert "VAT included, at 20.0%" in page

    def test_shows_the_deposit_that_a_quote_would_ask(self):
        page = text(client().get("/s/CA-314"))
        assert "4.27 EUR" in page

    def test_tells_the_script_what_may_be_signed_and_nothing_more(self):
        page = client(offers=()).get("/s/CA-314").text
        till = json.loads(
            re.search(r'data-till="([^"]+)"', page)[1].replace("&#34;", '"').replace("&amp;", "&")
        )
        assert till == {
            "chain_id": 1,
            "token": "0x1",
            "vault": "0x2",
            "station_id": "CA-314",
            "gives": False,
            "price_micros_per_kwh": "391700",
            "flat_micros": "350000",
            "tariff_fingerprint": FINGERPRINT,
        }

    def test_that_is_unknown_is_not_found(self):
        page = client().get("/s/CA-999")
        assert page.status_code == 404
        assert "CA-999" in page.text

    def test_speaks_french(self):
        page = text(client().get("/s/CA-314?lang=fr"))
        assert "0,3917 EUR/kWh" in page
        assert "Votre portefeuille" in page

    def test_has_a_code_that_opens_the_same_page(self):
        code = client().get("/s/CA-314/qr.svg")
        assert code.headers["content-type"] == "image/svg+xml"
        assert code.text.startswith("<?xml") or code.text.startswith("<svg")
        assert client().get("/s/CA-314/qr.svg").content == code.content

    def test_list_says_which_is_free_and_which_is_not(self):
        page = text(client().get("/s", headers={"accept-language": "en"}))
        assert "CA-314 free 7.4 kW" in page
        assert "CA-315 in use 150.0 kW" in page

    def test_shows_every_component_of_a_tariff_that_asks_for_more(self):
        parts = (
            {"dimension": "ENERGY", "price": "0.35", "vat_percent": "20", "restrictions": {}},
            {
                "dimension": "PARKING_TIME",
                "price": "6",
                "vat_percent": None,
                "restrictions": {"start_time": "09:00"},
            },
        )
        one = replace(outlet("CA-314"), is_whole=False, components=parts)
        page = text(client(one=one).get("/s/CA-314?lang=en"))
        assert "Energy, per kWh (VAT 20%) 0.35 EUR" in page
        assert "Standing without charging, per hour start_time 09:00 6 EUR" in page
        assert "nothing for time" not in page


class TestSession:
    def charging(self, register_wh=1_900, trigger="", power_w=5_400):
        track = Track(CHARGING)
        track.note(told(600, register_wh, power_w, trigger))
        return track

    def test_shows_energy_power_spent_and_what_comes_back(self):
        page = text(client(self.charging()).get(f"/sessions/{SESSION}?lang=en"))
        for part in ("0.900 kWh", "5.4 kW", "0.45 EUR", "0.55 EUR", "45.0%", "1.00 EUR"):
            assert part in page

    def test_loads_itself_again_without_a_script_until_it_is_over(self):
        refresh = '<noscript><meta http-equiv="refresh"'
        assert refresh in client(self.charging()).get(f"/sessions/{SESSION}").text
        over = Track(replace(ENDED, state="closed"))
        assert refresh not in client(over).get(f"/sessions/{SESSION}").text

    @pytest.mark.parametrize(
        ("track", "said"),
        [
            (Track(replace(CHARGING, state="opening", begin=None)), "on its way"),
            (Track(replace(CHARGING, state="open", begin=None)), "Plug in"),
            (Track(CHARGING), "whenever you like"),
            (Track(replace(CHARGING, state="held")), "comes back whole"),
            (Track(replace(ENDED, state="closing")), "on their way"),
            (Track(replace(ENDED, state="closed")), "is back in your wallet"),
            (Track(replace(ENDED, state="expired")), "whole deposit is back"),
            (Track(replace(CHARGING, state="refused", begin=None)), "nothing was paid"),
        ],
        ids=lambda one: one.facts.state if isinstance(one, Track) else "",
    )
    def test_says_what_to_do_in_every_state(self, track, said):
        page = client(track).get(f"/sessions/{SESSION}", headers={"accept-language": "en"})
        assert said in text(page)
        french = text(client(track).get(f"/sessions/{SESSION}?lang=fr"))
        assert said not in french
        assert "word." not in french

    @pytest.mark.parametrize(
        ("register_wh", "trigger", "said"),
        [
            (2_600, "", "More than 80%"),
            (2_999, "", "almost used up"),
            (3_000, "CostLimitReached", "no energy flows"),
        ],
    )
    def test_says_how_near_the_end_of_the_deposit_is(self, register_wh, trigger, said):
        power_w = 0 if trigger else 5_400
        track = self.charging(register_wh, trigger, power_w)
        assert said in text(client(track).get(f"/sessions/{SESSION}?lang=en"))

    def test_says_mined_before_it_says_final(self):
        for state, said in (("mined", "mined, not yet final"), ("final", "final")):
            refund = Refund("0x" + "ab" * 32, 17, state)
            track = Track(replace(ENDED, state="closed", refund=refund))
            page = text(client(track).get(f"/sessions/{SESSION}?lang=en"))
            assert f"Refund {said} Charge and refund" in page
            assert "0x" + "ab" * 32 in page

    def test_links_to_what_is_served_and_to_nothing_else(self):
        over = Track(replace(ENDED, state="closed"))
        bare = client(over).get(f"/sessions/{SESSION}").text
        assert "receipt" not in bare
        assert 'class="raise"' not in bare
        full = client(over, offers=("receipts", "top_ups")).get(f"/sessions/{SESSION}?lang=fr").text
        assert f'/api/sessions/{SESSION}/receipt.pdf?lang=fr"' in full
        assert re.findall(r'class="raise" data-micros="(\d+)"', full) == ["2000000", "5000000"]

    def test_hides_the_refund_until_there_is_one(self):
        page = client(self.charging()).get(f"/sessions/{SESSION}").text
        assert re.search(r'data-set="hidden hide_if_empty refund" hidden=""', page)

    def test_tells_only_the_state_to_who_listens(self):
        page = client(self.charging()).get(f"/sessions/{SESSION}").text
        spoken = re.findall(r'<(\w+)[^>]*role="(?:status|alert)"', page)
        assert spoken == ["p"] * len(spoken)
        assert "aria-live" not in page

    def test_that_is_unknown_is_not_found(self):
        assert client().get("/sessions/0x00").status_code == 404
        hostile = client().get("/sessions/<script>alert(1)<script>")
        assert hostile.status_code == 404
        assert "<script>alert" not in hostile.text
