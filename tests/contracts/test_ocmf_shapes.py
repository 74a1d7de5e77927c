"""Records in every legal shape, and broken ones: service and vault read the same in them."""

from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.artifacts import load_artifact
from contracts.typed_data import keccak
from ledger.errors import UnverifiedReading
from settlement.metering.ocmf import parse_record
from tests.contracts.support import (
    START_S,
    Fork,
    judge,
    law,
    record_text,
    sign_payload,
)

TAG = "TAG-OF-SHAPES"
ELAPSED_S = 80_000
NAMED = {one["name"] for one in load_artifact("ChargeVault").abi if one["type"] == "error"}
TO_WH = {"kWh": 1_000, "Wh": 1}


@pytest.fixture(scope="module")
def scene(world):
    """Terms of a session on the strongest meter, open on the base of every fork taken here."""
    terms = world.terms("shapes", id_tag=TAG, meter_id=world.wide.meter_id_hex)
    fork = world.fork(START_S)
    assert fork.open(terms).error is None
    fork.move_to(START_S + ELAPSED_S)
    return Scene(world, terms, fork)


@dataclass(frozen=True, repr=False)
class Scene:
    world: object
    terms: object
    fork: Fork

    def close(self, payload: bytes):
        """Try to close with ``payload``, signed by the meter."""
        fork = self.fork.branch()
        return fork.close(self.terms, payload, sign_payload(self.world.wide, payload))

    def judge(self, payload: str):
        """Return what settlement finds in ``payload``, signed by the meter."""
        record = parse_record(record_text(self.world.wide, payload))
        return judge(record, self.terms, elapsed_s=ELAPSED_S, power_w=self.world.wide.rated_power_w)


@dataclass(frozen=True)
class Value:
    """A register value, as text and exactly."""

    text: str
    wh: Fraction
    unit: str


@st.composite
def values(draw, least=0):
    """Draw a register value not below ``least`` Wh, in a unit and with some decimals."""
    unit = draw(st.sampled_from(["kWh", "Wh"]))
    decimals = draw(st.integers(0, 12))
    low = -(-Fraction(least) * 10**decimals // TO_WH[unit])
    spread = 10**6 * 10**decimals if unit == "Wh" else 10**3 * 10**decimals
    digits = draw(st.integers(int(low), int(low) + spread))
    whole, rest = divmod(digits, 10**decimals)
    text = f"{whole}.{rest:0{decimals}d}" if decimals else str(whole)
    return Value(text, Fraction(digits, 10**decimals) * TO_WH[unit], unit)


SCALARS = ["null", "true", "false", "0", "-1.5e10", '""', '"x"', '"\\\\"', '"\\""', '"\\u00e9"']
JUNK = st.recursive(
    st.one_of(st.sampled_from(SCALARS), st.text("aZ09 {}[],:'é☃", max_size=9).map('"{}"'.format)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: f"[{','.join(parts)}]"),
        st.lists(inner, max_size=3).map(
            lambda parts: "{" + ",".join(f'"k{n}":{p}' for n, p in enumerate(parts)) + "}"
        ),
    ),
    max_leaves=6,
)
BLANK = st.text(" \t\n\r", max_size=2)
KEYS = st.text("ABCDEFghij_0é", min_size=1, max_size=40).filter(
    lambda key: key not in {"PG", "ID", "RD", "RV", "RU", "TX", "ST", "EF", "TM", "RI", "RT"}
)


@st.composite
def objects(draw, members):
    """Draw an object with ``members`` and unknown ones, in any order, with any white space."""
    extra = draw(st.dictionaries(KEYS, JUNK, max_size=3))
    pairs = draw(st.permutations([*members.items(), *extra.items()]))
    blank = draw(st.tuples(BLANK, BLANK, BLANK, BLANK))
    inner = (blank[0] + ",").join(f'{blank[1]}"{k}"{blank[2]}:{blank[3]}{v}' for k, v in pairs)
    return f"{blank[3]}{{{inner}{blank[1]}}}{blank[2]}"


@st.composite
def registers(draw, value):
    """Draw the text of a register value: a number, or a text of one, padded or not."""
    if draw(st.booleans()):
        return value.text
    before, after = (" " * draw(st.integers(0, 12)) for _ in range(2))
    zeros = "0" * draw(st.integers(0, 17 - len(value.text.split(".")[0])))
    return f'"{before}{zeros}{value.text}{after}"'


@st.composite
def readings(draw, value, reason, before=None):
    """Draw a reading; what it shares with the one before it may leave out."""
    fields = {"RU": f'"{value.unit}"', "ST": '"G"', "RI": '"1-b:1.8.0"'}
    kept = {
        name: text
        for name, text in fields.items()
        if before is None or before.unit != value.unit or draw(st.booleans())
    }
    optional = {"EF": '""', "RT": '"AC"', "TM": '"2025-10-14T00:00:00,000+0000 S"', "EI": "7"}
    kept |= {name: text for name, text in optional.items() if draw(st.booleans())}
    members = kept | {"TX": f'"{reason}"', "RV": draw(registers(value))}
    return draw(objects(members))


@dataclass(frozen=True)
class Shape:
    payload: str
    page: int
    energy_wh: int


@st.composite
def shapes(draw):
    """Draw a legal payload with its page and its energy, worked out in fractions."""
    page = draw(st.one_of(st.integers(1, 300), st.integers(1, 2**32 - 1)))
    begin = draw(values())
    parts = [draw(readings(begin, "B"))]
    last = begin
    for _ in range(draw(st.integers(0, 2))):
        before, last = last, draw(values(least=last.wh))
        parts.append(draw(readings(last, draw(st.sampled_from("CTSX")), before)))
    for _ in range(draw(st.integers(1, 2))):
        before, last = last, draw(values(least=last.wh))
        parts.append(draw(readings(last, draw(st.sampled_from("ELRA")), before)))
    members = {"PG": f'"T{page}"', "ID": f'"{TAG}"', "RD": f"[{','.join(parts)}]"}
    return Shape(draw(objects(members)), page, int((last.wh - begin.wh) // 1))


class TestLegalShape:
    @law(100)
    @given(shape=shapes())
    def test_gives_the_same_energy_to_the_service_and_to_the_vault(self, scene, shape):
        found = scene.judge(shape.payload)
        assert (found.energy_wh, found.page) == (shape.energy_wh, shape.page)
        closed = scene.close(shape.payload.encode()).event("SessionClosed")
        assert (closed["energyWh"], closed["page"]) == (shape.energy_wh, shape.page)


PIECES = [
    b'"', b"\\", b"\\\\", b'\\"', b"\\u0050", b"\\u0054", b",", b":", b"{", b"}", b"[", b"]", b" ",
    b"\n", b"\x00", b"\x1f", b"\x7f", b"\x80", b"\xc3\xa9", b"\xff", b"0", b"9", b".", b"-", b"+",
    b"e3", b"E", b"B", b"G", b"W", b"k", b"null", b"T", b"F", b'"PG":"T9",', b'"ID":"OTHER",',
    b'"\\u0049D":"OTHER",', b'"RV":1,', b'"RU":"Wh",', b'"TX":"E",', b'"ST":"G",', b'"EF":"E",',
    b'"RD":[],', b'{"RV":7},', b'{"TX":"E","RV":99,"RU":"kWh","ST":"G"},', b'"RI":"1-b:2.8.0",',
]  # fmt: skip


@st.composite
def mutants(draw):
    """Draw a payload that was legal before up to three changes to its bytes."""
    text = draw(shapes()).payload.encode()
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        until = draw(st.integers(at, min(len(text), at + 40)))
        kind = draw(st.sampled_from(["flip", "cut", "insert", "replace", "double", "end", "move"]))
        piece = draw(st.sampled_from(PIECES))
        if kind == "flip" and at < len(text):
            text = text[:at] + bytes([text[at] ^ 1 << draw(st.integers(0, 7))]) + text[at + 1 :]
        elif kind == "cut":
            text = text[:at] + text[until:]
        elif kind == "insert":
            text = text[:at] + piece + text[at:]
        elif kind == "replace":
            text = text[:at] + piece + text[at + 1 :]
        elif kind == "double":
            text = text[:until] + text[at:]
        elif kind == "end":
            text = text[:at]
        elif kind == "move":
            text = text[until:] + text[at:until] + text[:at]
    return text


@st.composite
def twisted(draw):
    """Draw a payload in which known words were doubled, hidden by escapes, or exchanged."""
    text = draw(shapes()).payload
    for _ in range(draw(st.integers(1, 2))):
        word = draw(st.sampled_from(["PG", "ID", "RD", "RV", "RU", "TX", "ST", TAG, "kWh", "Wh"]))
        places = [n for n in range(len(text)) if text.startswith(word, n)]
        if not places:
            continue
        at = draw(st.sampled_from(places))
        letter = draw(st.integers(0, len(word) - 1))
        hidden = word[:letter] + f"\\u{ord(word[letter]):04x}" + word[letter + 1 :]
        other = draw(st.sampled_from([hidden, "PG", "ID", "RV", "TX", "Wh", "kWh", TAG, word * 2]))
        text = text[:at] + other + text[at + len(word) :]
    return text.encode()


class TestBrokenText:
    """Signed all the same by the meter, so that only the reading decides."""

    def check(self, scene, payload: bytes):
        result = scene.close(payload)
        assert result.error is None or result.error in NAMED, result.error
        facts = facts_of(result)
        try:
            text = payload.decode()
            record = parse_record(record_text(scene.world.wide, text))
            found = scene.judge(text)
        except (UnicodeDecodeError, UnverifiedReading):
            return
        in_python = {
            "energy_wh": found.energy_wh,
            "page": found.page,
            "id_tag": "0x" + keccak(record.id_tag.encode()).hex(),
        }
        assert facts == {name: in_python[name] for name in facts}

    @law(200)
    @given(payload=mutants())
    def test_is_never_read_as_one_thing_here_and_another_there(self, scene, payload):
        self.check(scene, payload)

    @law(100)
    @given(payload=twisted())
    def test_with_words_doubled_or_hidden_is_never_read_in_two_ways(self, scene, payload):
        self.check(scene, payload)


def facts_of(result):
    """Return what the vault has found in a record, whether it closed or not."""
    if result.error is None:
        closed = result.event("SessionClosed")
        tag = "0x" + keccak(TAG.encode()).hex()
        return {"energy_wh": closed["energyWh"], "page": closed["page"], "id_tag": tag}
    names = {
        "ChargeVault_ForeignRecord": ("id_tag", "found"),
        "ChargeVault_OldPage": ("page", "page"),
        "ChargeVault_PageTooHigh": ("page", "page"),
        "ChargeVault_AbovePower": ("energy_wh", "energyWh"),
    }
    if result.error not in names:
        return {}
    name, argument = names[result.error]
    return {name: result.arguments[argument]}
