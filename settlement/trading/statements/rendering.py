"""Write a statement as plain text, in English or French, exact to the micro."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from ledger.units import Micros
from settlement.trading.exact import Language, energy, money
from settlement.trading.lines import Kind
from settlement.trading.statements.statement import Entry, Statement

_CURRENCY: Final = "EUR"

WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    Language.EN: {
        "title": "Statement of {member}, intervals: {count}",
        "metered": "Meters: {import_wh} taken, {export_wh} given",
        "kind": "what",
        "given": "given",
        "taken": "taken",
        "received": "received",
        "paid": "paid",
        "total": "total",
        "net": "With the community: {amount}",
        "alone": "Without it, the same meters at the supplier's prices: {amount}",
        "gain": "Gained by the community: {amount}",
        "energy": "energy, neighbors",
        "toll": "grid tolls",
        "congestion": "congestion",
        "levy": "levy",
        "platform": "platform",
        "vat": "VAT",
        "residual": "energy, supplier",
        "imbalance": "imbalance",
    },
    Language.FR: {
        "title": "Relevé de {member}, intervalles : {count}",
        "metered": "Compteurs : {import_wh} prélevés, {export_wh} injectés",
        "kind": "quoi",
        "given": "donné",
        "taken": "pris",
        "received": "reçu",
        "paid": "payé",
        "total": "total",
        "net": "Avec la communauté : {amount}",
        "alone": "Sans elle, mêmes compteurs aux prix du fournisseur : {amount}",
        "gain": "Gagné grâce à la communauté : {amount}",
        "energy": "énergie, voisins",
        "toll": "péages du réseau",
        "congestion": "congestion",
        "levy": "taxe",
        "platform": "plateforme",
        "vat": "TVA",
        "residual": "énergie, fournisseur",
        "imbalance": "écarts",
    },
}
"""Words of a statement; kinds of lines have their own."""


def render(
    statement: Statement,
    language: Language = Language.EN,
    currency: str = _CURRENCY,
    name_of: Callable[[str], str] = str,
) -> str:
    """Return a statement as text, a line for each kind; ``name_of`` names the member."""
    words = WORDS[language]
    rows = [[words[name] for name in ("kind", "given", "taken", "received", "paid")]]
    kinds = sorted({one.kind for one in statement.entries}, key=list(Kind).index)
    rows += [_row(words[kind], statement.of_kind(kind), currency, language) for kind in kinds]
    totals = (statement.received_micros, statement.paid_micros)
    rows.append([words["total"], "", "", *(money(one, currency, language) for one in totals)])
    amounts = {
        "net": statement.net_micros,
        "alone": statement.alone_micros,
        "gain": statement.gain_micros,
    }
    metered = {
        "import_wh": energy(statement.import_wh, language),
        "export_wh": energy(statement.export_wh, language),
    }
    return "\n".join(
        (
            words["title"].format(member=name_of(statement.member), count=len(statement.intervals)),
            words["metered"].format(**metered),
            "",
            *_aligned(rows),
            "",
            *(
                words[name].format(amount=money(amount, currency, language))
                for name, amount in amounts.items()
            ),
        )
    )


def _row(name: str, one: Entry, currency: str, language: Language) -> list[str]:
    energies = (one.given_wh, one.taken_wh)
    amounts: tuple[Micros, ...] = (one.received_micros, one.paid_micros)
    return [
        name,
        *(energy(energy_wh, language) if energy_wh else "" for energy_wh in energies),
        *(money(amount, currency, language) if amount else "" for amount in amounts),
    ]


def _aligned(rows: list[list[str]]) -> Iterator[str]:
    """Return rows as lines, the first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        yield "  ".join((first.ljust(widths[0]), *cells)).rstrip()
