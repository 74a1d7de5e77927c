"""
Write numbers, instants and states as people of each language read them.

Everything is computed from integers. Cents, tenths and percents are rounded half up for display
only. ``static/formats.js`` does the same in the browser; a test compares the two.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from api.web.words import Words

NOTHING: Final = "–"  # noqa: RUF001 - a dash
"""What stands where there is no value yet."""

_WH_PER_KWH: Final = 1_000
_KILO: Final = 1_000
_MICROS: Final = 1_000_000
_PERCENT_BP: Final = 100
_MS_PER_S: Final = 1_000
_S_PER_MINUTE: Final = 60
_ID_SHOWN: Final = 14
_LAWS: Final = 11

Json = Any
"""A JSON value, as the API gives it."""

Format = Callable[["Voice", Json], str | None]


@dataclass(frozen=True, slots=True)
class Voice:
    """How a page speaks: its language, its clock, its money."""

    words: Words
    """The catalog."""
    utc_offset_minutes: int
    """Fixed offset of the community's time from UTC, in minutes."""
    currency: str
    """ISO 4217 code."""

    def document(self) -> dict[str, object]:
        """Return what the script needs to speak the same way."""
        return {
            "words": self.words.live(),
            "utcOffsetMinutes": self.utc_offset_minutes,
            "currency": self.currency,
        }


def whole(voice: Voice, number: int) -> str:
    """Return an integer with its thousands apart."""
    digits = str(abs(number))
    head = len(digits) % 3 or 3
    groups = [digits[:head], *(digits[at : at + 3] for at in range(head, len(digits), 3))]
    sign = "−" if number < 0 else ""  # noqa: RUF001 - a minus sign, not a hyphen
    return sign + voice.words.text("number.group").join(groups)


def fixed(voice: Voice, number: int, unit: int, places: int) -> str:
    """Return ``number / unit`` with ``places`` decimals, its magnitude rounded half up."""
    scale = 10**places
    scaled = (abs(number) * scale * 2 + unit) // (unit * 2)
    head, tail = divmod(scaled, scale)
    text = whole(voice, head)
    if places:
        text += voice.words.text("number.decimal") + str(tail).rjust(places, "0")
    return f"−{text}" if number < 0 and scaled else text  # noqa: RUF001 - a minus sign


def _count(voice: Voice, number: Json) -> str:
    return whole(voice, int(number))


def _kwh(voice: Voice, energy_wh: Json) -> str:
    return voice.words.text("unit.kwh", n=fixed(voice, int(energy_wh), _WH_PER_KWH, 1))


def _kwh_exact(voice: Voice, energy_wh: Json) -> str:
    return voice.words.text("unit.kwh", n=fixed(voice, int(energy_wh), _WH_PER_KWH, 3))


def _money(voice: Voice, amount_micros: Json) -> str:
    amount = fixed(voice, int(amount_micros), _MICROS, 2)
    return voice.words.text("unit.money", n=amount, currency=voice.currency)


def _kw(voice: Voice, power_w: Json) -> str:
    return voice.words.text("unit.kw", n=fixed(voice, int(power_w), _KILO, 1))


def _price(voice: Voice, price_micros_per_kwh: Json) -> str:
    price = fixed(voice, int(price_micros_per_kwh), _MICROS, 4)
    return voice.words.text("unit.price", n=price, currency=voice.currency)


def _percent_bp(voice: Voice, share_bp: Json) -> str:
    return voice.words.text("unit.percent", n=fixed(voice, int(share_bp), _PERCENT_BP, 1))


def _elapsed(voice: Voice, elapsed_ms: Json) -> str:
    if int(elapsed_ms) < _MS_PER_S:
        return voice.words.text("unit.ms", n=whole(voice, int(elapsed_ms)))
    return voice.words.text("unit.s", n=fixed(voice, int(elapsed_ms), _MS_PER_S, 2))


def _local(voice: Voice, instant_s: Json) -> datetime:
    return datetime.fromtimestamp(int(instant_s) + voice.utc_offset_minutes * _S_PER_MINUTE, UTC)


def _instant(voice: Voice, instant_s: Json) -> str:
    at = _local(voice, instant_s)
    text = voice.words.text
    return text(
        "unit.instant",
        weekday=text(f"weekday.{at.weekday()}"),
        day=str(at.day),
        month=text(f"month.{at.month}"),
        year=str(at.year),
        time=at.strftime("%H:%M"),
    )


def _hour(voice: Voice, instant_s: Json) -> str:
    return voice.words.text(
        "unit.hour",
        day=_day(voice, instant_s),
        time=_local(voice, instant_s).strftime("%H:%M"),
    )


def _day(voice: Voice, instant_s: Json) -> str:
    at = _local(voice, instant_s)
    weekday = voice.words.text(f"weekday.{at.weekday()}")
    return voice.words.text("unit.day", weekday=weekday, day=str(at.day))


def _short(_voice: Voice, identity: Json) -> str:
    text = str(identity)
    return text if len(text) <= _ID_SHOWN else f"{text[:8]}…{text[-4:]}"


def _raw(_voice: Voice, value: Json) -> str:
    return str(value)


def _key(_voice: Voice, value: Json) -> str:
    """Return a state as catalogs and style sheets name it; nothing known is a state too."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _trace_link(_voice: Voice, trace_id: Json) -> str:
    return "/trace/" + quote(str(trace_id), safe="/")


def _laws_held(voice: Voice, laws: Json) -> str:
    held = sum(1 for law in laws.values() if law["ok"] is True)
    return voice.words.text("unit.held", n=str(held), of=str(_LAWS))


def _hide_unless_broken(_voice: Voice, laws: Json) -> str | None:
    return None if any(law["ok"] is False for law in (laws or {}).values()) else ""


def _hide_unless_false(_voice: Voice, value: Json) -> str | None:
    return None if value is False else ""


def _hide_unless_true(_voice: Voice, value: Json) -> str | None:
    return None if value is True else ""


def _hide_if_empty(_voice: Voice, value: Json) -> str | None:
    return None if value else ""


def _hide_unless_empty(_voice: Voice, value: Json) -> str | None:
    return "" if value else None


SINGLE: Final[Mapping[str, Format]] = {
    "count": _count,
    "day": _day,
    "elapsed": _elapsed,
    "hour": _hour,
    "instant": _instant,
    "kw": _kw,
    "kwh": _kwh,
    "kwh_exact": _kwh_exact,
    "laws_held": _laws_held,
    "money": _money,
    "percent_bp": _percent_bp,
    "price": _price,
    "raw": _raw,
    "short": _short,
    "trace_link": _trace_link,
}
"""Formats of one value; without a value they write ``NOTHING``."""

OF_NOTHING: Final[Mapping[str, Format]] = {
    "hide_if_empty": _hide_if_empty,
    "hide_unless_broken": _hide_unless_broken,
    "hide_unless_empty": _hide_unless_empty,
    "hide_unless_false": _hide_unless_false,
    "hide_unless_true": _hide_unless_true,
    "key": _key,
}
"""Formats that have something to say of no value as well; None leaves the attribute out."""


def _share(voice: Voice, part: Json, total: Json) -> str:
    if part is None or total is None or int(total) == 0:
        return NOTHING
    return voice.words.text("unit.percent", n=fixed(voice, int(part) * 100, int(total), 1))


def _less(voice: Voice, total: Json, part: Json) -> str:
    return NOTHING if part is None or total is None else _kwh_exact(voice, int(total) - int(part))


def _less_rounded(voice: Voice, total: Json, part: Json) -> str:
    return NOTHING if part is None or total is None else _kwh(voice, int(total) - int(part))


PAIRS: Final[Mapping[str, Callable[[Voice, Json, Json], str]]] = {
    "less": _less,
    "less_rounded": _less_rounded,
    "share": _share,
}
"""Formats of two values."""


def dig(scope: Json, path: str) -> Json:
    """Return what ``path`` names in ``scope``, or None if it is not there."""
    found = scope
    for name in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found


def show(voice: Voice, spec: str, scope: Json) -> str | None:
    """
    Return what ``spec`` writes of ``scope``; None leaves an attribute out.

    Parameters
    ----------
    voice
        How the page speaks.
    spec
        A format and one or two paths, for example ``share totals.refunded_micros
        totals.deposited_micros``; ``word.<group>`` looks a state up in the catalog.
    scope
        JSON values that the paths are looked up in.
    """
    name, *paths = spec.split()
    values = [dig(scope, path) for path in paths]
    if name in PAIRS:
        return PAIRS[name](voice, *values)
    (value,) = values
    if name.startswith("word."):
        return voice.words.word(name.removeprefix("word."), _key(voice, value) or "")
    if name in OF_NOTHING:
        return OF_NOTHING[name](voice, value)
    return NOTHING if value is None else SINGLE[name](voice, value)
