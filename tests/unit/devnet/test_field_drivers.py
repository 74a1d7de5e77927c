"""A driver signs nothing that is not what was promised."""

import asyncio
import hashlib
import json
from dataclasses import replace

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.typed_data import digest, hash_struct, keccak, signer_of, type_hash
from devnet.field.dataset import load_dataset
from devnet.field.drivers import (
    Driver,
    QuoteDiffersError,
    QuoteUnreadableError,
    Wish,
    deposit_micros,
    is_one_time_tag,
    read_quote,
    session_body,
    tariff_fingerprint,
)
from devnet.field.keys import build_keys, wallet_of
from devnet.field.parameters import load_parameters
from devnet.field.service import Places, ServiceRefusedError
from ledger.clock import ReplayClock

WEEK, PARAMETERS = load_dataset(), load_parameters()
KEYS = build_keys(WEEK, PARAMETERS, seed=1)
PLACES = Places(1_337, "0x" + "aa" * 20, "0x" + "bb" * 20, "0x" + "cc" * 20)
NOW_S = 1_494_250_693
FINGERPRINT = tariff_fingerprint(PARAMETERS)
STATION = KEYS.stations["CA-314"]
WISH = Wish(
    station="CA-314",
    meter_id=STATION.meter_id,
    operator=KEYS.operator.address_hex,
    requested_wh=21_840,
)
DRIVER = Driver(KEYS.drivers["driver-001"], PLACES, PARAMETERS)


def answer(**changes):
    """Return what an honest service answers, with some terms changed before they are hashed."""
    terms = {
        "driver": DRIVER.wallet.address_hex,
        "purse": 2,
        "operator": KEYS.operator.address_hex,
        "meter_id": STATION.meter_id_hex,
        "id_tag": "0123456789ABCDEF0123",
        "price_micros_per_kwh": 391_700,
        "flat_micros": 0,
        "deposit_micros": 8_560_000,
        "tariff_fingerprint": "0x" + FINGERPRINT.hex(),
        "deadline_s": NOW_S + 86_400 + 21_600,
        "salt": "0x" + "09" * 32,
    } | changes
    names = ("driver", "purse", "operator", "meterId", "idTag", "priceMicrosPerKwh", "flatMicros",
             "depositMicros", "tariffFingerprint", "deadline", "salt")  # fmt: skip
    typed = {
        name: int(value) if str(value).isdigit() and name != "idTag" else value
        for name, value in zip(names, terms.values(), strict=True)
    }
    return {
        "session_id": "0x" + hash_struct("SessionTerms", typed).hex(),
        "terms": terms,
        "chain_id": 1_337,
        "token": PLACES.token,
        "vault": PLACES.vault,
        "valid_after": 0,
        "valid_before": terms["deadline_s"],
    }


class TestReadQuote:
    def test_takes_integers_as_numbers_or_strings(self):
        assert read_quote(answer(deposit_micros="8560000")).terms == read_quote(answer()).terms

    def test_takes_addresses_in_any_case(self):
        body = answer() | {"token": "0x" + "AA" * 20}
        assert read_quote(body).places == (1_337, PLACES.token, PLACES.vault)

    @pytest.mark.parametrize("missing", [*answer()])
    def test_names_what_is_missing(self, missing):
        body = answer()
        del body[missing]
        with pytest.raises(QuoteUnreadableError, match=f"{missing} is missing"):
            read_quote(body)

    @pytest.mark.parametrize("missing", [*answer()["terms"]])
    def test_names_the_term_that_is_missing(self, missing):
        body = answer()
        del body["terms"][missing]
        with pytest.raises(QuoteUnreadableError, match=f"{missing} is missing"):
            read_quote(body)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("driver", "0x12"),
            ("driver", 5),
            ("meter_id", "ff" * 32),
            ("salt", "0x" + "zz" * 32),
            ("deposit_micros", 8.56),
            ("deposit_micros", True),
            ("deposit_micros", "eight"),
            ("deadline_s", None),
        ],
    )
    def test_refuses_a_term_in_the_wrong_form(self, name, value):
        body = answer()
        body["terms"][name] = value
        with pytest.raises(QuoteUnreadableError):
            read_quote(body)

    def test_refuses_terms_that_are_no_object(self):
        with pytest.raises(QuoteUnreadableError, match="no object"):
            read_quote(answer() | {"terms": []})


class TestCheck:
    def test_accepts_what_was_promised(self):
        DRIVER.check(read_quote(answer()), WISH, NOW_S)

    def test_accepts_addresses_written_in_any_case(self):
        places = replace(PLACES, vault="0x" + "BB" * 20)
        wish = replace(WISH, operator="0x" + WISH.operator[2:].upper())
        replace(DRIVER, places=places).check(read_quote(answer()), wish, NOW_S)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("driver", "0x" + "01" * 20),
            ("operator", "0x" + "01" * 20),
            ("meter_id", KEYS.stations["CA-303"].meter_id_hex),
            ("id_tag", ""),
            ("id_tag", "x" * 21),
            ("id_tag", "a|b"),
            ("price_micros_per_kwh", 391_701),
            ("price_micros_per_kwh", 391_699),
            ("flat_micros", 1),
            ("deposit_micros", 8_570_000),
            ("deposit_micros", 8_559_999),
            ("tariff_fingerprint", "0x" + "08" * 32),
            ("deadline_s", NOW_S),
            ("deadline_s", NOW_S + 86_400 + 21_601),
        ],
    )
    def test_refuses_a_term_that_differs_and_names_it(self, field, value):
        with pytest.raises(QuoteDiffersError) as caught:
            DRIVER.check(read_quote(answer(**{field: value})), WISH, NOW_S)
        assert caught.value.field == field

    @pytest.mark.parametrize(
        ("name", "value", "field"),
        [
            ("session_id", "0x" + "00" * 32, "session_id"),
            ("chain_id", 1, "places"),
            ("token", "0x" + "01" * 20, "places"),
            ("vault", "0x" + "01" * 20, "places"),
            ("valid_after", NOW_S, "valid_now"),
            ("valid_before", NOW_S, "valid_now"),
        ],
    )
    def test_refuses_another_place_another_hash_another_time(self, name, value, field):
        with pytest.raises(QuoteDiffersError) as caught:
            DRIVER.check(read_quote(answer() | {name: value}), WISH, NOW_S)
        assert caught.value.field == field

    def test_refuses_terms_changed_behind_their_hash(self):
        body = answer()
        body["terms"]["salt"] = "0x" + "0a" * 32
        with pytest.raises(QuoteDiffersError, match="session_id"):
            DRIVER.check(read_quote(body), WISH, NOW_S)


class TestDeposit:
    @given(st.integers(min_value=1, max_value=1_000_000))
    def test_covers_the_energy_and_less_than_a_cent_more(self, requested_wh):
        deposit = deposit_micros(requested_wh, PARAMETERS)
        assert deposit % 10_000 == 0
        assert 0 <= deposit * 1_000 - requested_wh * 391_700 < 10_000 * 1_000

    def test_of_every_session_fits_into_a_driver_s_wallet(self):
        deposits = [deposit_micros(stay.requested_wh, PARAMETERS) for stay in WEEK.stays]
        assert max(deposits) <= PARAMETERS.funds.driver_wallet

    def test_of_the_week_goes_back_by_nearly_half(self):
        price = PARAMETERS.tariff.price
        charged = sum(stay.delivered_wh * price // 1_000 for stay in WEEK.stays)
        deposited = sum(deposit_micros(stay.requested_wh, PARAMETERS) for stay in WEEK.stays)
        assert (deposited - charged) * 1_000 // deposited in {462, 463}


class TestTariffFingerprint:
    def test_is_of_the_canonical_text(self):
        text = (
            '{"currency":"EUR","flat_micros":0,"id":"sierra-ac",'
            '"price_micros_per_kwh":391700,"vat_rate_bp":2000}'
        )
        assert hashlib.sha256(text.encode()).digest() == FINGERPRINT

    @pytest.mark.parametrize("change", [{"price": 1}, {"flat": 1}, {"vat_bp": 1}, {"id": "x"}])
    def test_differs_for_another_tariff(self, change):
        other = replace(PARAMETERS, tariff=replace(PARAMETERS.tariff, **change))
        assert tariff_fingerprint(other) != FINGERPRINT


class TestSign:
    def test_is_an_erc_3009_authorization_to_the_vault_whose_nonce_is_the_session(self):
        quote = read_quote(answer())
        values = {
            "from": DRIVER.wallet.address_hex,
            "to": PLACES.vault,
            "value": 8_560_000,
            "validAfter": 0,
            "validBefore": NOW_S + 108_000,
            "nonce": quote.session_id,
        }
        hashed = digest(PLACES.token_domain, "ReceiveWithAuthorization", values)
        assert signer_of(hashed, DRIVER.sign(quote)) == DRIVER.wallet.address

    def test_uses_the_type_of_the_standard(self):
        # https://eips.ethereum.org/EIPS/eip-3009
        known = "d099cc98ef71107a616c4f0f941f04c322d8e254fe26b3c6668db87aae413de8"
        assert type_hash("ReceiveWithAuthorization").hex() == known

    def test_never_differs(self):
        quote = read_quote(answer())
        assert DRIVER.sign(quote) == DRIVER.sign(quote)

    def test_hashes_the_terms_as_anybody_would_by_hand(self):
        quote = read_quote(answer())
        words = (
            bytes.fromhex(quote.terms.driver[2:]).rjust(32, b"\0"),
            (2).to_bytes(32),
            bytes.fromhex(quote.terms.operator[2:]).rjust(32, b"\0"),
            quote.terms.meter_id,
            keccak(quote.terms.id_tag.encode()),
            (391_700).to_bytes(32),
            bytes(32),
            (8_560_000).to_bytes(32),
            FINGERPRINT,
            (NOW_S + 108_000).to_bytes(32),
            b"\x09" * 32,
        )
        text = (
            b"SessionTerms(address driver,uint32 purse,address operator,bytes32 meterId,"
            b"string idTag,"
            b"uint64 priceMicrosPerKwh,uint64 flatMicros,uint64 depositMicros,"
            b"bytes32 tariffFingerprint,uint64 deadline,bytes32 salt)"
        )
        assert quote.terms.session_id == keccak(keccak(text) + b"".join(words))


def opened(handle, wish=WISH, clock=None):
    async def run():
        transport = httpx2.MockTransport(handle)
        async with httpx2.AsyncClient(transport=transport, base_url="http://voisin") as client:
            return await DRIVER.open_session(client, wish, clock or ReplayClock(NOW_S))

    return asyncio.run(run())


class TestOpenSession:
    def test_asks_checks_signs_and_opens(self):
        seen = []

        def handle(request):
            seen.append((request.url.path, json.loads(request.content)))
            if request.url.path == "/api/quotes":
                return httpx2.Response(200, json=answer())
            return httpx2.Response(201, json={"session_id": answer()["session_id"],
                                              "state": "open", "id_tag": "x"})  # fmt: skip

        session = opened(handle)
        assert session.session_id == answer()["session_id"]
        assert (session.state, session.deposit_micros) == ("open", 8_560_000)
        assert session.id_tag == "0123456789ABCDEF0123"  # the one that was signed for
        assert seen[0] == (
            "/api/quotes",
            {"station_id": "CA-314", "driver": DRIVER.wallet.address_hex, "requested_wh": 21_840},
        )
        quote = read_quote(answer())
        assert seen[1] == ("/api/sessions", session_body(quote, WISH, DRIVER.sign(quote)))
        assert seen[1][1]["terms"] == answer()["terms"]

    def test_sends_the_same_bytes_again(self):
        bodies = []

        def handle(request):
            bodies.append(request.content)
            document = answer() if request.url.path == "/api/quotes" else {"state": "open"}
            return httpx2.Response(200, json=document)

        opened(handle)
        opened(handle)
        assert bodies[:2] == bodies[2:]

    def test_judges_the_quote_by_the_time_at_which_it_came(self):
        """On the wall clock a second may pass while the service makes it."""
        clock = ReplayClock(NOW_S - 1)

        def handle(request):
            clock.set(NOW_S)
            document = answer() if request.url.path == "/api/quotes" else {"state": "open"}
            return httpx2.Response(200, json=document)

        assert opened(handle, clock=clock).state == "open"

    def test_signs_nothing_when_the_quote_differs(self):
        paths = []

        def handle(request):
            paths.append(request.url.path)
            return httpx2.Response(200, json=answer(price_micros_per_kwh=400_000))

        with pytest.raises(QuoteDiffersError):
            opened(handle)
        assert paths == ["/api/quotes"]

    def test_passes_on_why_the_service_refuses(self):
        problem = {"code": "unknown_station", "detail": "CA-999 is no station", "status": 404}
        with pytest.raises(ServiceRefusedError, match="CA-999") as caught:
            opened(lambda _: httpx2.Response(404, json=problem))
        assert (caught.value.code, caught.value.status) == ("unknown_station", 404)
        assert not caught.value.transient

    @pytest.mark.parametrize(
        "response",
        [
            httpx2.Response(502, text="<html>"),
            httpx2.Response(500, json=["no problem document"]),
        ],
    )
    def test_says_so_when_the_refusal_cannot_be_read(self, response):
        with pytest.raises(ServiceRefusedError) as caught:
            opened(lambda _: response)
        assert caught.value.code == "answer_unreadable"
        assert caught.value.transient

    def test_says_so_when_the_answer_is_no_object(self):
        with pytest.raises(ServiceRefusedError) as caught:
            opened(lambda _: httpx2.Response(200, json=[1]))
        assert caught.value.code == "answer_unreadable"


@given(st.text(max_size=25))
def test_a_tag_that_passes_can_be_carried_by_ocpp_and_ocmf(tag):
    if is_one_time_tag(tag):
        assert 0 < len(tag.encode()) <= 20
        assert "|" not in tag


def test_a_stranger_s_wallet_is_another():
    names = ["driver-001", "driver-002", "operator"]
    assert len({hashlib.sha256(wallet_of(1, name).address).digest() for name in names}) == 3
