"""Contract and service read the same in any text: mutated records, random JSON of their words."""

import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.ocmf_cases import payload_of
from tests.contracts.reader import Found, Reader, Refused, check_agreement
from tests.contracts.support import law

RECORDS = json.loads((Path(__file__).parent / "data" / "ocmf_records.json").read_text())
SEED = 20_251_014


@pytest.fixture(scope="module")
def reader(world):
    return Reader(world.node)


def shapes():
    """Return one payload of each form in which the meters of the records write."""
    found = {}
    for record in RECORDS:
        payload = record["record"].split("|")[1]
        found.setdefault(re.sub(r"\d", "0", payload), payload.encode())
    return [*found.values(), payload_of(tag="TAG")]


PIECES = [
    b'"', b"\\", b"\\\\", b'\\"', b"\\u0050", b"\\ud800", b",", b":", b"{", b"}", b"[", b"]", b" ",
    b"|", b"\n", b"\x00", b"\x1f", b"\x7f", b"\x80", b"\xc3\xa9", b"\xed\xa0\x80", b"\xff",
    b"\xf0\x9f\x98\x80", b"0", b"9", b"00", b".", b".5", b"1.", b"-", b"+", b"e3", b"1e3", b"E",
    b"B", b"G", b"W", b"k", b"T", b"F", b"null", b"true", b"{}", b"[]", b"*", b"1.8", b"B2.8",
    b"2.8", b'"PG":"T9",', b'"ID":"OTHER",', b'"\\u0049D":"OTHER",', b'"RD":[],', b'{"RV":7},',
    b'"RV":1,', b'"RV":"  12.5 ",', b'"RV":-1,', b'"RV":0012,', b'"RU":"Wh",', b'"RU":"s",',
    b'"TX":"E",', b'"TX":"B",', b'"ST":"G",', b'"EF":"E",', b'"RI":"1-b:2.8.0",', b'"XX":1,"XX":2,',
    b'"RI":"01-00:B2.08.00*FF",', b'"XX":{"a":[1,{}]},',
    b'{"TX":"E","RV":99,"RU":"kWh","ST":"G"},',
]  # fmt: skip
MEMBER = re.compile(rb'"[A-Z]{2}" ?: ?("[^"]*"|[0-9.]+|true|false)|[,:{}\[\]]')
NUMBER = re.compile(rb"\d+")


def flip(draw, text, at, _):
    return text[:at] + bytes([text[at] ^ 1 << draw.randrange(8)]) + text[at + 1 :]


def exchange(draw, text, pattern, other):
    """Put ``other``, or another match of ``pattern``, in the place of one of its matches."""
    found = list(pattern.finditer(text))
    if not found:
        return text
    one = draw.choice(found)
    return text[: one.start()] + (other or draw.choice(found)[0]) + text[one.end() :]


CHANGES = [
    flip,
    lambda _, text, at, until: text[:at] + text[until:],
    lambda _, text, at, until: text[:until] + text[at:],
    lambda _, text, at, until: text[until:] + text[at:until] + text[:at],
    lambda draw, text, at, _: text[:at] + draw.choice(PIECES) + text[at:],
    lambda draw, text, at, _: text[:at] + draw.choice(PIECES) + text[at + 1 :],
    lambda draw, text, at, _: text[:at] + bytes([draw.randrange(32, 127)]) + text[at + 1 :],
    lambda draw, text, *_: exchange(draw, text, NUMBER, b"%d" % draw.randrange(10**9)),
    lambda draw, text, *_: exchange(draw, text, NUMBER, b"%d" % draw.randrange(10**21)),
    lambda draw, text, *_: exchange(draw, text, MEMBER, None),
]
"""A bit, a cut, a doubling, a rotation, a piece more or instead, a byte, a number, a member."""


def mutated(draw: random.Random, text: bytes) -> bytes:
    """Return ``text`` after one change."""
    at = draw.randrange(max(1, len(text)))
    until = min(len(text), at + draw.randrange(12))
    return draw.choice(CHANGES)(draw, text or b" ", at, until)


class TestMutatedRecord:
    """As if the meter had signed the mutated text, so that only the readers decide."""

    def test_is_read_the_same_by_contract_and_service_or_refused_by_both(self, reader):
        draw = random.Random(SEED)  # noqa: S311 - the same mutations on each run
        legal = [one for one in shapes() if isinstance(reader.read(one), Found)]
        texts, read, refusals = shapes() + 4 * legal, 0, set()
        for _ in range(10_000):
            text = draw.choice(texts)
            for _ in range(draw.choice((1, 1, 1, 2, 3))):
                text = mutated(draw, text)
            found = check_agreement(reader, text)
            if isinstance(found, Refused):
                refusals.add(found.error)
            else:
                read += 1
        # Neither reader got away with refusing everything, nor with one reason for all.
        assert read > 1_000
        assert len(refusals) >= 9, refusals

    @pytest.mark.parametrize("payload", shapes(), ids=lambda text: str(len(text)))
    def test_cut_anywhere_is_refused_by_both(self, reader, payload):
        for length in range(0, len(payload), 3):
            assert isinstance(check_agreement(reader, payload[:length]), Refused)


def quoted(texts):
    return st.sampled_from(texts).map('"{}"'.format)


BLANK = st.sampled_from(["", "", "", " ", "\n", "\t \r"])
TEXTS = ["", "x", "é☃", "a" * 31, "b" * 32, "{", "],", "a\\n", "\\u00e9", '\\"', "\\\\", "\\ud800"]
GOOD = ["7", "11", "12.50", "0.001", "10.000", "11.5", "999999999999999999.999999999999", "0"]
BAD = ["-1", "1e3", "1.0000000000001", "1234567890123456789", "-0", "1E-2", "0.5e+1"]
NUMBERS = st.sampled_from([*GOOD, *GOOD, *GOOD, *BAD, "01", "1.", "00", "+1", ".5"])
WORDS = st.sampled_from(["true", "false", "null", "tru", "[]", "{}", "[ ]", '"|"', '"\\x"', '"\t"'])
VALUES = st.recursive(
    st.one_of(NUMBERS, quoted(TEXTS), WORDS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: f"[{','.join(parts)}]"),
        st.lists(st.tuples(st.sampled_from(["a", "RV", "a", "\\n"]), inner), max_size=3).map(
            lambda parts: "{" + ",".join(f'"{key}":{value}' for key, value in parts) + "}"
        ),
    ),
    max_leaves=5,
)
CODES = ["1-b:1.8.0", "1-b:1.8.e", "01-00:01.08.00*FF", "01-00:B2.08.00*FF", "b0.8", "1.8", ""]
OTHERS = ["1-b:1.9.0", "1-b:2.8.0", "C2.08*FF", "1-b:1.80.0", "?", "x" * 40, "::1.8", "\\u0031.8"]
KNOWN = {
    "TX": quoted(["B", "E", "C", "L", "R", "A", "X", "", "BE", "\\u0042"]),
    "RV": st.one_of(NUMBERS, NUMBERS.map('"  {} "'.format), NUMBERS.map('"{}"'.format)),
    "RI": quoted(CODES * 2 + OTHERS),
    "RU": quoted(["kWh", "Wh", "kWh", "Wh", "s", "kwh", "", "kWhh"]),
    "EF": quoted(["", "", "", "t", "E", "tE"]),
    "ST": quoted(["G", "G", "G", "N", "", "GG"]),
    "TM": st.sampled_from(['"2025-10-14T00:00:00,000+0000 S"', "7", '""']),
}
USUAL = {"TX": '"B"', "RV": "10.000", "RU": '"kWh"', "RI": '"1-b:1.8.0"', "EF": '""', "ST": '"G"'}
SPOIL = st.sampled_from(["", "", "", "", "", "", "", "leave", "double"])
KEYS = st.sampled_from(["XX", "IS", "IF", "A", "Zé", "LONGER", "", "MV", "GS", "CT", "X\\n"])


def written(members):
    return "{" + ",".join(f'"{key}":{value}' for key, value in members.items()) + "}"


@st.composite
def objects(draw, members):
    """Draw an object of ``members``, with one twice or none, an unknown one, and white space."""
    pairs = list(members.items())
    word = draw(SPOIL)
    if word:
        one = draw(st.sampled_from(pairs))
        pairs = [pair for pair in pairs if pair != one] + [one, one] * (word == "double")
    pairs += [(draw(KEYS), draw(VALUES))] if draw(SPOIL) else [("XX", "[]")]
    if draw(st.booleans()):
        pairs = draw(st.permutations(pairs))
    blank = [draw(BLANK) for _ in range(4)] if draw(st.booleans()) else [""] * 4
    inner = ",".join(f'{blank[0]}"{key}"{blank[1]}:{blank[2]}{v}{blank[3]}' for key, v in pairs)
    return f"{{{inner}}}"


@st.composite
def readings(draw, members):
    """Draw a reading: ``members``, of which some say something else."""
    changed = dict(members)
    for name in draw(st.lists(st.sampled_from(["TM", "EI", *sorted(KNOWN)]), max_size=1)):
        changed[name] = draw(KNOWN.get(name, NUMBERS))
    if draw(SPOIL):
        changed[draw(st.sampled_from(sorted(changed)))] = draw(VALUES)
    return written(changed) if draw(st.integers(0, 2)) else draw(objects(changed))


@st.composite
def payloads(draw):
    """Draw the payload of a record, most of it as it should be."""
    later = [{"TX": '"E"', "RV": f"{11 + number}.5"} for number in range(draw(st.integers(1, 3)))]
    parts = [draw(readings(members)) for members in [USUAL, *later]]
    members = {"PG": '"T12"', "ID": '"TAG"', "RD": f"[{','.join(parts)}]"}
    match draw(SPOIL):
        case "leave":
            members["PG"] = draw(quoted(["T999999999999999999", "T007", "T0", "F1", "T", "T 1"]))
        case "double":
            members["ID"] = draw(st.one_of(quoted(TEXTS), quoted(["é" * 40]), VALUES))
    whole = written(members) if draw(st.integers(0, 2)) else draw(objects(members))
    return f"{draw(BLANK)}{whole}{draw(BLANK)}".encode()


class TestRandomRecord:
    def test_is_read_the_same_by_contract_and_service_or_refused_by_both(self, reader):
        seen = []

        @law(700)
        @given(payload=payloads())
        def agree(payload):
            seen.append(type(check_agreement(reader, payload)))

        agree()
        # Enough of them are read for this to say something.
        assert seen.count(Found) * 6 > len(seen) >= 500

    @law(200)
    @given(value=VALUES)
    def test_with_any_json_in_a_member_of_no_use_is_read_the_same(self, reader, value):
        for head in (b"", b'"IS":true,'):
            text = b"{" + head + f'"XX":{value},'.encode() + payload_of(tag="TAG")[1:]
            found = check_agreement(reader, text)
            assert isinstance(found, Refused) or found == Found(1, found.id_tag, 5_500)

    @law(200)
    @given(text=st.text(max_size=80))
    def test_of_no_form_at_all_is_refused_by_both(self, reader, text):
        assert isinstance(check_agreement(reader, text.encode()), Refused)
