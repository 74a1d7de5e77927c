"""The receipt on paper: two languages, the same bytes each time, everything to check it inside."""

import io
import json
from dataclasses import replace

import pypdf
import pytest

from api.documents.receipt_pdf import receipt_pdf
from api.documents.words import RECEIPT_WORDS
from settlement.charging.documents.facts import (
    ChargeLine,
    Evidence,
    Finality,
    NotSettledError,
    Transaction,
)
from settlement.charging.documents.receipt import receipt
from settlement.charging.documents.signed_xml import signed_xml
from tests.unit.settlement.documents.samples import evidence, facts, money, record_of


def opened(content):
    return pypdf.PdfReader(io.BytesIO(content))


def text_of(content):
    return "\n".join(page.extract_text() for page in opened(content).pages)


class TestReceiptPdf:
    @pytest.mark.parametrize(
        ("language", "shown"),
        [
            ("en", ("Charging receipt", "18.729 kWh", "7.69 EUR", "final: paid", "VAT 20 %")),
            ("fr", ("Reçu de recharge", "18,729 kWh", "7,69 EUR", "finale : payé", "TVA 20 %")),
        ],
    )
    def test_speaks_english_and_french(self, language, shown):
        text = text_of(receipt_pdf(facts(), language))
        assert [one for one in shown if one not in text] == []

    def test_has_the_same_words_in_both(self):
        assert set(RECEIPT_WORDS["en"]) == set(RECEIPT_WORDS["fr"])

    def test_is_the_same_bytes_each_time_dated_as_the_session_ended(self):
        assert receipt_pdf(facts(), "fr") == receipt_pdf(facts(), "fr")
        made = opened(receipt_pdf(facts(), "fr")).metadata.creation_date
        assert made.timestamp() == facts().times.ended_s

    def test_fits_a_telephone(self):
        box = opened(receipt_pdf(facts(), "en")).pages[0].mediabox
        assert (round(box.width), round(box.height)) == (420, 595)

    @pytest.mark.parametrize("finality", [Finality.WAITING, Finality.SENT, Finality.MINED])
    @pytest.mark.parametrize(("language", "paid"), [("en", "paid"), ("fr", "payé")])
    def test_says_nothing_of_paid_before_it_is_final(self, finality, language, paid):
        found = facts(settlement=Transaction("0x" + "02" * 32, 20, finality))
        text = text_of(receipt_pdf(found, language))
        assert paid not in text
        assert RECEIPT_WORDS[language][finality.value] in text

    def test_carries_record_and_receipt_byte_for_byte(self):
        kept = evidence(record_of(vendor="Zähler Ω 電力"))
        found = facts(evidence=kept)
        files = opened(receipt_pdf(found, "en")).attachments
        assert files["record.ocmf"] == [kept.record.encode()]
        assert files["signed.xml"] == [signed_xml(found).encode()]
        assert json.loads(files["receipt.json"][0]) == receipt(found)

    def test_is_written_of_a_deposit_that_expired_too(self):
        nothing = Evidence("0x" + "aa" * 32, "M1", None, None, None, None)
        found = facts(
            state="expired", energy_wh=0, money=money(charge=0, energy=0), evidence=nothing
        )
        text = text_of(receipt_pdf(found, "en"))
        assert "nobody" in text
        assert list(opened(receipt_pdf(found, "en")).attachments) == ["receipt.json"]

    @pytest.mark.parametrize("language", ["en", "fr"])
    def test_writes_no_line_over_another(self, language):
        lines = (
            ChargeLine("ENERGY", "18729", "0.3917", 6_113_500, 2_000, 1_222_699, "chain"),
            ChargeLine("OVERRUN", "1", "", -100_000, 2_000, -20_000, "chain"),
            ChargeLine("PARKING_TIME", "93600", "3", 1_250_000, None, 0, "invoice"),
            ChargeLine("CREDIT", "1", "", -5_000, 1_000, -500, "invoice"),
        )
        content = receipt_pdf(facts(money=replace(money(), lines=lines)), language)
        for page in opened(content).pages:
            places = []

            def note(text, _transform, matrix, _font, _size, places=places):
                if text.strip():
                    places.append((round(matrix[4]), round(matrix[5], 2)))

            page.extract_text(visitor_text=note)
            left = [y for x, y in places if x < 100]
            assert len(left) > 10
            assert len(set(left)) == len(left)

    def test_shows_amounts_with_two_decimals_at_least(self):
        text = text_of(receipt_pdf(facts(), "en"))
        assert "10.00 EUR" in text
        assert "2.313851 EUR" in text

    def test_shows_all_of_what_the_operator_bears(self):
        found = facts(money=money(deposit=1_000_000, charge=1_000_000))
        text = text_of(receipt_pdf(found, "en"))
        assert "-6.686149 EUR" in text

    def test_is_not_written_before_the_energy_is_billed(self):
        with pytest.raises(NotSettledError):
            receipt_pdf(facts(state="charging"), "en")
