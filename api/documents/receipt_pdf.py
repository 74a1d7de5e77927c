"""Set a receipt on A5, which a telephone shows without zooming; same facts, same bytes."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final

from fpdf import FPDF
from fpdf.enums import MethodReturnValue, WrapMode, XPos, YPos

from api.documents.words import RECEIPT_WORDS
from ledger.units import Micros
from settlement.charging.documents.exact import cents, euros, kilowatt_hours, nearest
from settlement.charging.documents.facts import ChargeLine, SessionFacts, Transaction
from settlement.charging.documents.receipt import public_key_der, receipt
from settlement.charging.documents.signed_xml import signed_xml
from settlement.charging.documents.table import duration, local_time

PDF_TYPE: Final = "application/pdf"
_FONT: Final = "helvetica"
_FIXED_FONT: Final = "courier"
_TITLE, _HEADING, _TEXT, _SMALL = 18, 12, 10, 7
_A5_MM: Final = (148, 210)
_MARGIN: Final = 12
_LINE: Final = 5.4
_SMALL_LINE: Final = 3.4
_KEPT_LINES: Final = 3
_LABEL_SHARE: Final = Decimal("0.42")
_BP_DECIMALS: Final = 2
_WH_PER_KWH: Final = 1_000
_KWH_DECIMALS: Final = 3

Pair = tuple[str, str]


def receipt_pdf(facts: SessionFacts, language: str) -> bytes:
    """
    Return the receipt as PDF in ``language``, with record, S.A.F.E. file and JSON attached.

    Raises
    ------
    NotSettledError
        If the session's energy is not billed yet.
    """
    document = receipt(facts)
    words = RECEIPT_WORDS[language]
    paper = _Paper(words, language, datetime.fromtimestamp(facts.times.ended_s, UTC))
    paper.title(words["title"], facts.community)
    paper.pairs(_what(facts, words))
    paper.heading(words["lines"])
    paper.pairs(_lines(facts, words))
    paper.total(
        words["total"],
        f"{cents(facts.money.total_micros)} {facts.currency}".replace(".", words["point"]),
    )
    paper.heading(words["refund"])
    paper.pairs(_refund(facts, words))
    paper.heading(words["check"])
    paper.small(_proof(facts, words))
    paper.attach("receipt.json", json.dumps(document, indent=2).encode())
    if facts.evidence.record is not None:
        paper.attach("record.ocmf", facts.evidence.record.encode())
        if facts.evidence.key is not None:
            paper.attach("signed.xml", signed_xml(facts).encode())
    return paper.content()


class _Paper:
    """Sheets of A5 that fill from above."""

    def __init__(self, words: Mapping[str, str], language: str, made: datetime) -> None:
        self._pdf: Final = FPDF(format=_A5_MM)
        self._made: Final = made
        self._pdf.set_creation_date(made)
        self._pdf.set_lang(language)
        self._pdf.set_title(words["title"])
        self._pdf.set_producer("Voisin")
        self._pdf.set_margin(_MARGIN)
        self._pdf.add_page()

    def title(self, text: str, under: str) -> None:
        """Write the title, and what stands under it."""
        self._line(text, _TITLE, "B", height=9)
        self._line(under, _TEXT, "", height=7)
        self._pdf.ln(2)

    def heading(self, text: str) -> None:
        """Write a heading with a rule above it."""
        self._pdf.ln(2)
        across = self._pdf.l_margin, self._pdf.w - self._pdf.r_margin
        self._pdf.line(across[0], self._pdf.y, across[1], self._pdf.y)
        self._pdf.ln(1)
        self._line(text, _HEADING, "B", height=7)

    def pairs(self, rows: Iterator[Pair]) -> None:
        """Write what is named on the left, what it is on the right."""
        label_width = self._pdf.epw * float(_LABEL_SHARE)
        for label, value in rows:
            self._pdf.set_font(_FONT, size=_TEXT)
            height = self._pdf.multi_cell(
                label_width,
                _LINE,
                _latin(label),
                new_x=XPos.RIGHT,
                new_y=YPos.TOP,
                align="L",
                output=MethodReturnValue.HEIGHT,
            )
            below = self._pdf.y + float(str(height))
            self._pdf.multi_cell(
                0, _LINE, _latin(value), new_x=XPos.LMARGIN, new_y=YPos.NEXT, align="R"
            )
            self._pdf.set_y(max(below, self._pdf.y))

    def total(self, label: str, value: str) -> None:
        """Write the sum."""
        self._pdf.set_font(_FONT, "B", _HEADING)
        self._pdf.cell(self._pdf.epw / 2, 8, _latin(label))
        self._pdf.cell(0, 8, _latin(value), align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def small(self, rows: Iterator[Pair]) -> None:
        """Write long things small, their name above them."""
        for label, value in rows:
            if self._pdf.will_page_break(_SMALL_LINE * _KEPT_LINES):
                self._pdf.add_page()
            self._line(label, _SMALL, "B", height=_SMALL_LINE)
            self._pdf.set_font(_FIXED_FONT, size=_SMALL)
            self._pdf.multi_cell(
                0,
                _SMALL_LINE,
                _latin(value),
                new_x=XPos.LMARGIN,
                new_y=YPos.NEXT,
                wrapmode=WrapMode.CHAR,
            )
            self._pdf.ln(1)

    def attach(self, name: str, content: bytes) -> None:
        """Put a file into the PDF, byte for byte."""
        self._pdf.embed_file(
            bytes=content, basename=name, modification_date=self._made, creation_date=self._made
        )

    def content(self) -> bytes:
        """Return the PDF."""
        return bytes(self._pdf.output())

    def _line(self, text: str, size: int, style: str, *, height: float) -> None:
        self._pdf.set_font(_FONT, style, size)
        self._pdf.multi_cell(0, height, _latin(text), new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _what(facts: SessionFacts, words: Mapping[str, str]) -> Iterator[Pair]:
    times = facts.times
    yield words["station"], facts.station_id
    yield words["operator"], facts.operator
    yield words["started"], local_time(times.started_s, times.utc_offset_minutes)
    yield words["stopped"], local_time(times.stopped_s, times.utc_offset_minutes)
    if facts.evidence.begin is not None and facts.evidence.end is not None:
        yield words["begin"], _shown(str(facts.evidence.begin), words)
        yield words["end"], _shown(str(facts.evidence.end), words)
    yield words["energy"], _shown(f"{kilowatt_hours(facts.energy_wh):f} kWh", words)
    yield words["signed_by"], words[facts.signed_by or "nobody"]
    if facts.sun_wh is not None and facts.energy_wh:
        yield (
            words["sun"],
            _shown(f"{nearest(facts.sun_wh / _WH_PER_KWH, _KWH_DECIMALS):f} kWh", words),
        )
    for roof in facts.roofs:
        yield f"  {roof.party}", _shown(f"{kilowatt_hours(roof.energy_wh):f} kWh", words)


def _lines(facts: SessionFacts, words: Mapping[str, str]) -> Iterator[Pair]:
    money, currency = facts.money, facts.currency
    for one in money.lines:
        yield _name(one, words), _amount(one.gross_micros, currency, words)
    for rate, (net, vat) in money.by_rate().items():
        if rate is None:
            yield words["no_vat"], _amount(net, currency, words)
            continue
        name = _shown(f"{words['vat']} {_percent(rate)}", words)
        yield f"{words['net']} ({name})", _amount(net, currency, words)
        yield name, _amount(vat, currency, words)


def _name(one: ChargeLine, words: Mapping[str, str]) -> str:
    name, volume = words.get(one.dimension, one.dimension), Fraction(one.volume)
    if one.unit == "Wh" and volume:
        return _shown(f"{name} ({nearest(volume / _WH_PER_KWH, _KWH_DECIMALS):f} kWh)", words)
    if one.unit == "s" and volume:
        return f"{name} ({duration(int(volume))})"
    return name


def _refund(facts: SessionFacts, words: Mapping[str, str]) -> Iterator[Pair]:
    money, currency = facts.money, facts.currency
    amounts: tuple[tuple[str, Micros], ...] = (
        ("deposit", money.deposit_micros),
        ("charge", money.charge_micros),
        ("refund", money.refund_micros),
    )
    for name, amount in amounts:
        yield words[name], _amount(amount, currency, words)
    if money.invoice_micros:
        yield words["invoice"], _amount(money.invoice_micros, currency, words)
    yield words["transaction"], words[facts.settlement.finality.value]
    if facts.settlement.block is not None:
        yield words["block"], str(facts.settlement.block)


def _proof(facts: SessionFacts, words: Mapping[str, str]) -> Iterator[Pair]:
    tariff = facts.tariff
    agreed = words["tariff_text"].format(
        price=f"{euros(Micros(tariff.price_micros_per_kwh)):f}", currency=facts.currency
    )
    if tariff.flat_micros:
        agreed += words["tariff_flat"].format(
            flat=f"{euros(tariff.flat_micros):f}", currency=facts.currency
        )
    yield words["tariff"], f"{_shown(agreed, words)}\n{tariff.fingerprint}"
    yield words["session"], facts.session_id
    yield from _transactions(facts.settlement, words)
    if facts.evidence.key is not None:
        yield words["key"], public_key_der(facts.evidence.key).hex()
    if facts.entries:
        entries = ", ".join(f"{one.code} {one.seq}" for one in facts.entries)
        yield words["log"], f"/log/proof/<n>: {entries}"
    if facts.evidence.record is not None:
        yield "OCMF", facts.evidence.record
    yield "", words["attached"]


def _transactions(found: Transaction, words: Mapping[str, str]) -> Iterator[Pair]:
    if found.hash is not None:
        yield words["transaction"], found.hash


def _amount(amount_micros: Micros, currency: str, words: Mapping[str, str]) -> str:
    """Return an amount with all its digits, two behind the point at least."""
    whole, _, rest = f"{euros(amount_micros):f}".partition(".")
    return _shown(f"{whole}.{rest:0<2} {currency}", words)


def _shown(text: str, words: Mapping[str, str]) -> str:
    """Return a number as readers of the language write it: nothing changes but the point."""
    return text.replace(".", words["point"])


def _percent(rate_bp: int) -> str:
    return f"{Decimal(rate_bp).scaleb(-_BP_DECIMALS).normalize():f} %"


def _latin(text: str) -> str:
    """Return ``text`` as the fonts of every PDF reader can show it; others are attached whole."""
    return text.encode("latin-1", "replace").decode("latin-1")
