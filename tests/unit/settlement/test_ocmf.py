"""OCMF text is read exactly as the meter wrote it, or refused with a reason."""

import base64
import json
import string
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import UnverifiedReading
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_json import MalformedRecordError

SIGNATURE = '{"SD":"3006020101020102"}'
BEGIN = {
    "TM": "2019-05-06T10:00:00,000+0000 S",
    "TX": "B",
    "RV": 1234.5,
    "RI": "1-b:1.8.0",
    "RU": "kWh",
    "RT": "AC",
    "EF": "",
    "ST": "G",
}


def text_of(payload, signature=SIGNATURE):
    body = payload if isinstance(payload, str) else json.dumps(payload, separators=(",", ":"))
    return f"OCMF|{body}|{signature}"


def record_of(*readings, page="T1", **more):
    return text_of({"PG": page, "RD": list(readings) or [BEGIN], **more})


def with_value(raw):
    """A record whose register is ``raw`` as it stands in the JSON."""
    return text_of('{"PG":"T1","RD":[{"RV":%s}]}' % raw)  # noqa: UP031 - braces all over


def refuse(text, match):
    with pytest.raises(MalformedRecordError, match=match) as caught:
        parse_record(text)
    assert caught.value.code == "malformed_record"
    assert isinstance(caught.value, UnverifiedReading)


class TestParts:
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "OCMF",
            "OCMF|{}",
            "OCMF|{}|{}|",
            "OCMF|{}|{}|{}",
            "|OCMF|{}|{}",
            "OCME|{}|{}",
            "ocmf|{}|{}",
            "OCMF |{}|{}",
            "{}|{}|OCMF",
        ],
    )
    def test_are_header_payload_and_signature(self, text):
        refuse(text, "not OCMF")

    def test_a_bar_inside_a_text_is_one_part_too_many(self):
        refuse(record_of(ID="a|b"), "not OCMF")

    def test_blanks_around_the_record_are_no_part_of_it(self):
        assert parse_record(f"\r\n {record_of()} \n") == parse_record(record_of())

    def test_the_payload_is_kept_byte_for_byte(self):
        payload = ' {"PG" : "T1" ,\t"RD":[{"RV":1}],"MF":"Zähler ⚡"} '
        assert parse_record(text_of(payload)).payload == payload.encode()

    def test_the_longest_text_is_65536_characters(self):
        short = len(record_of(MF=""))
        assert parse_record(record_of(MF="x" * (65_536 - short))).pagination_number == 1
        refuse(record_of(MF="x" * (65_537 - short)), "not OCMF")
        refuse(record_of() + " " * 65_536, "not OCMF")


class TestJson:
    @pytest.mark.parametrize(
        ("payload", "match"),
        [
            ("", "no JSON"),
            ("{", "no JSON"),
            ("{'PG':'T1'}", "no JSON"),
            ('{"PG":"T1"}x', "no JSON"),
            ('{"PG":"T1",}', "no JSON"),
            ("[]", "no object"),
            ('"T1"', "no object"),
            ("null", "no object"),
            ("1", "no object"),
            ('{"PG":"T1","PG":"T2"}', "stands twice"),
            ('{"PG":"T1","RD":[{"RV":1,"RV":2}]}', "stands twice"),
            ('{"PG":"T1","RD":[{"RV":1}],"ID":"a","ID":"a"}', "stands twice"),
            ('{"PG":"T1","RD":[{"RV":1,"ST":"","ST":""}]}', "stands twice"),
            ('{"P\\u0047":"T1"}', "an escape"),
            ('{"XX":[{"\\n":1}]}', "an escape"),
            ('{"PG":"T1","XX":tru}', "no JSON"),
            ('{"PG":"T1","XX":01}', "no JSON"),
            ('{"PG":"T1","XX":1.}', "no JSON"),
            ('{"PG":"T1","XX":"\\x"}', "no JSON"),
            ('{"PG":"T1","XX":"\t"}', "no JSON"),
            ('{"PG":"T1" "XX":1}', "no JSON"),
            ('{"PG" "T1"}', "no JSON"),
            ('{"PG":"T1","XX":[1}', "no JSON"),
            ('{"PG":"T\\u0031"}', "PG holds an escape"),
            ('{"PG":"T1","ID":"\\u0041"}', "ID holds an escape"),
            ('{"PG":"T1","RD":[{"R\\u0056" :1}]}', "an escape"),
            ('{"PG":"T1","RD":[{"RV":NaN}]}', "no JSON"),
            ('{"PG":"T1","RD":[{"RV":-Infinity}]}', "no JSON"),
            ("[" * 20_000, "no JSON"),
            ('{"PG":"T1","MF":"\ud800","RD":[{"RV":1}]}', "no JSON"),
        ],
        ids=lambda value: str(value.encode("ascii", "replace"))[:30],
    )
    def test_that_two_readers_could_read_differently_is_refused(self, payload, match):
        refuse(text_of(payload), match)

    @pytest.mark.parametrize("name", ["TX", "RI", "RU", "EF", "ST"])
    def test_an_escape_in_a_text_that_is_compared_is_refused(self, name):
        refuse(
            text_of('{"PG":"T1","RD":[{"RV":1,"%s":"\\u0041"}]}' % name),  # noqa: UP031
            f"{name} holds an escape",
        )

    def test_an_escape_in_another_value_is_no_fault(self):
        text = '{"MF":"a\\"b:\\\\","PG":"T1","RD":[{"RV":1,"TM":"\\u0041"}]}'
        assert parse_record(text_of(text)).readings[0].time == "A"

    def test_a_key_twice_that_nobody_reads_is_no_fault(self):
        text = '{"IS":1,"IS":2,"PG":"T1","RD":[{"RV":1,"XX":1,"XX":2,"TM":"a","TM":"b"}]}'
        assert parse_record(text_of(text)).readings[0].time == "b"

    @pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
    def test_is_nested_as_deep_as_sixteen_and_no_deeper(self, opening, closing):
        for depth, fits in ((15, True), (16, False)):
            nested = opening * depth + "0" + closing * depth
            text = text_of(f'{{"PG":"T1","RD":[{{"RV":1}}],"XX":{nested}}}')
            if fits:
                assert parse_record(text).pagination_number == 1
            else:
                refuse(text, "no JSON")

    @pytest.mark.parametrize("signature", ["", "[]", "x", '{"SD":"00","SD":"01"}'])
    def test_of_the_signature_is_read_as_strictly(self, signature):
        refuse(text_of({"PG": "T1", "RD": [BEGIN]}, signature), "signature|stands twice")


class TestPagination:
    @pytest.mark.parametrize(
        ("page", "kind", "number"),
        [("T0", "T", 0), ("F17", "F", 17), ("T007", "T", 7), ("T" + "9" * 18, "T", 10**18 - 1)],
    )
    def test_is_a_letter_and_a_number(self, page, kind, number):
        made = parse_record(record_of(page=page))
        assert (made.pagination_kind, made.pagination_number) == (kind, number)

    @pytest.mark.parametrize(
        "page",
        [
            None,
            1,
            "",
            "T",
            "1",
            "t1",
            "X1",
            "T-1",
            "T 1",
            "T1 ",
            "T1\n",
            "T1.0",
            "T٣",
            "T" + "9" * 19,
        ],
    )
    def test_of_any_other_form_is_refused(self, page):
        refuse(record_of(page=page), "neither T<n> nor F<n>|PG is no text|PG holds an escape")

    def test_that_is_missing_is_refused(self):
        refuse(text_of({"RD": [BEGIN]}), "pagination None")


class TestIdentity:
    def test_is_taken_as_it_stands_or_empty(self):
        assert parse_record(record_of(ID=" Tag ")).id_tag == " Tag "
        assert parse_record(record_of()).id_tag == ""

    @pytest.mark.parametrize("identity", [None, 5, ["a"], {"a": "b"}, True])
    def test_that_is_no_text_is_refused(self, identity):
        refuse(record_of(ID=identity), "ID is no text")


class TestReadings:
    @pytest.mark.parametrize("readings", [None, [], {}, "x", 1])
    def test_must_be_there(self, readings):
        refuse(text_of({"PG": "T1", "RD": readings}), "no readings")
        refuse(text_of({"PG": "T1"}), "no readings")

    @pytest.mark.parametrize("reading", [None, 1, "x", [BEGIN]])
    def test_are_objects(self, reading):
        refuse(text_of({"PG": "T1", "RD": [BEGIN, reading]}), "a reading is no object")

    @pytest.mark.parametrize("name", ["TX", "RI", "RU", "EF", "ST"])
    @pytest.mark.parametrize("value", [None, 3, []])
    def test_name_the_field_that_is_no_text(self, name, value):
        refuse(record_of({**BEGIN, name: value}), f"{name} is no text")

    @pytest.mark.parametrize("value", [None, 3, [], {"a": 1}])
    def test_say_no_time_with_what_is_no_text(self, value):
        made = parse_record(record_of(BEGIN, {"RV": 2, "TM": value, "RT": value}, {"RV": 3}))
        assert [one.time for one in made.readings] == [BEGIN["TM"], "", ""]

    def test_take_what_they_omit_from_the_one_before(self):
        made = parse_record(record_of(BEGIN, {"RV": 2}, {"TX": "E", "RV": 3, "EF": "t"}, {"RV": 4}))
        _, second, third, fourth = made.readings
        assert (second.reason, second.time, second.obis, second.unit, second.status) == (
            "B",
            BEGIN["TM"],
            "1-b:1.8.0",
            "kWh",
            "G",
        )
        assert (third.reason, third.error_flags, third.unit) == ("E", "t", "kWh")
        assert (fourth.reason, fourth.error_flags, fourth.digits) == ("E", "t", 4)

    def test_never_take_the_value_from_the_one_before(self):
        made = parse_record(record_of(BEGIN, {"TX": "E"}, {}))
        assert [one.digits for one in made.readings] == [12_345, None, None]
        assert str(made.readings[1]) == "no number of kWh"

    def test_can_empty_what_they_would_have_taken(self):
        made = parse_record(record_of({**BEGIN, "EF": "Et"}, {"EF": "", "RV": 1}))
        assert [one.error_flags for one in made.readings] == ["Et", ""]

    def test_of_the_first_one_that_are_missing_are_empty(self):
        (made,) = parse_record(with_value("1")).readings
        fields = (made.time, made.reason, made.obis, made.unit, made.error_flags, made.status)
        assert fields == ("",) * 6


class TestValue:
    @pytest.mark.parametrize(
        ("raw", "digits", "decimals"),
        [
            ("0", 0, 0),
            ("1234.5", 12_345, 1),
            ("1234.50", 123_450, 2),
            ("0.0001", 1, 4),
            ("7.000", 7_000, 3),
            ('"1234.50"', 123_450, 2),
            ('"0001234.500"', 1_234_500, 3),
            ('"   12.5 "', 125, 1),
            ("9" * 18, 10**18 - 1, 0),
            ("1." + "0" * 11 + "1", 10**12 + 1, 12),
        ],
    )
    def test_keeps_every_digit_and_its_decimals(self, raw, digits, decimals):
        (made,) = parse_record(with_value(raw)).readings
        assert (made.digits, made.decimals) == (digits, decimals)

    @pytest.mark.parametrize(
        "raw",
        [
            "-1",
            "-0",
            "1e3",
            "1.5E2",
            "true",
            "null",
            "[]",
            "{}",
            '""',
            '" "',
            '"1,5"',
            '"+1"',
            '"-1"',
            '".5"',
            '"5."',
            '"1 2"',
            '"1\\t"',
            '"1\\n"',
            '"٣"',
            '"0x10"',
            '"1_000"',
            '"1\\u0030"',
            "1" * 19,
            "1." + "0" * 13,
        ],
    )
    def test_that_is_no_plain_decimal_number_is_none(self, raw):
        (made,) = parse_record(with_value(raw)).readings
        assert (made.digits, made.decimals) == (None, 0)

    @given(st.integers(0, 10**18 - 1), st.integers(0, 12), st.data())
    @settings(max_examples=100, deadline=None)
    def test_is_read_like_a_decimal_and_written_as_it_was(self, digits, decimals, data):
        scaled = f"{digits:0{decimals + 1}d}"
        raw = f"{scaled[:-decimals]}.{scaled[-decimals:]}" if decimals else scaled
        padded = " " * data.draw(st.integers(0, 3)) + raw + " " * data.draw(st.integers(0, 3))
        unit = data.draw(st.sampled_from(["kWh", "Wh"]))
        made = parse_record(
            text_of('{"PG":"T1","RD":[{"RV":"%s","RU":"%s"}]}' % (padded, unit))  # noqa: UP031
        ).readings[0]
        assert Decimal(made.digits).scaleb(-made.decimals) == Decimal(raw)
        assert str(made) == f"{raw} {unit}"


class TestSignature:
    RAW = bytes.fromhex("3006020101020102")

    def read(self, **signed):
        return parse_record(text_of({"PG": "T1", "RD": [BEGIN]}, json.dumps(signed)))

    def test_is_hexadecimal_unless_it_says_otherwise(self):
        assert self.read(SD=self.RAW.hex()).signature == self.RAW
        assert self.read(SD=self.RAW.hex().upper(), SE="hex").signature == self.RAW
        encoded = base64.b64encode(self.RAW).decode()
        assert self.read(SD=encoded, SE="base64").signature == self.RAW

    def test_has_an_algorithm_by_default(self):
        assert self.read(SD="00").algorithm == "ECDSA-secp256r1-SHA256"
        assert self.read(SD="00", SA="ECDSA-secp256k1-SHA256").algorithm == "ECDSA-secp256k1-SHA256"

    @pytest.mark.parametrize(
        ("signed", "match"),
        [
            ({}, "neither hexadecimal nor base64"),
            ({"SD": 5}, "neither hexadecimal nor base64"),
            ({"SD": "00", "SE": "base58"}, "neither hexadecimal nor base64"),
            ({"SD": "00", "SE": 5}, "SE is no text"),
            ({"SD": "xyz"}, "no hex text"),
            ({"SD": "000"}, "no hex text"),
            ({"SD": "a-b_", "SE": "base64"}, "no base64 text"),
            ({"SD": "abc", "SE": "base64"}, "no base64 text"),
            ({"SD": "MAYC*AQECAQI=", "SE": "base64"}, "no base64 text"),
            ({"SD": "00", "SA": 5}, "SA is no text"),
            ({"SD": "00", "SM": "application/x-raw"}, "not in DER"),
            ({"SD": "00", "SM": 5}, "SM is no text"),
        ],
        ids=str,
    )
    def test_of_any_other_form_is_refused(self, signed, match):
        with pytest.raises(MalformedRecordError, match=match):
            self.read(**signed)


record_texts = st.fixed_dictionaries(
    {
        "PG": st.builds("{}{}".format, st.sampled_from("TF"), st.integers(0, 10**18 - 1)),
        "ID": st.text(string.ascii_letters + string.digits + " :/[{", max_size=20),
        "MM": st.text(string.ascii_letters + ' "\\ü', max_size=20),
        "RD": st.lists(
            st.fixed_dictionaries(
                {
                    "TM": st.sampled_from(["2019-05-06T10:00:00,000+0000 S", ""]),
                    "TX": st.sampled_from(["B", "C", "E", "L", "R", "A", "P", "X", "S", "T"]),
                    "RV": st.integers(0, 10**18 - 1),
                    "RI": st.sampled_from(["1-b:1.8.0", "1-b:2.8.0"]),
                    "RU": st.sampled_from(["kWh", "Wh", "W", "s"]),
                    "EF": st.sampled_from(["", "E", "t", "Et"]),
                    "ST": st.sampled_from(["G", "N", "T"]),
                }
            ),
            min_size=1,
            max_size=5,
        ),
    }
)


class TestParseRecord:
    @given(record_texts, st.binary(min_size=1, max_size=80), st.booleans())
    @settings(max_examples=80, deadline=None)
    def test_reads_back_what_a_meter_wrote(self, payload, signature, plain):
        signed = json.dumps({"SA": "ECDSA-secp256k1-SHA256", "SD": signature.hex()})
        body = json.dumps(payload, ensure_ascii=plain)
        made = parse_record(text_of(body, signed))
        assert made.payload == body.encode()
        assert f"{made.pagination_kind}{made.pagination_number}" == payload["PG"]
        assert (made.id_tag, made.signature) == (payload["ID"], signature)
        assert [
            (one.time, one.reason, one.digits, one.obis, one.unit, one.error_flags, one.status)
            for one in made.readings
        ] == [tuple(one[name] for name in BEGIN if name != "RT") for one in payload["RD"]]

    @given(st.text(max_size=60))
    @settings(max_examples=150, deadline=None)
    def test_never_fails_in_any_other_way(self, junk):
        for text in (junk, f"OCMF|{junk}|{SIGNATURE}", f'OCMF|{{"PG":"T1","RD":{junk}}}|{junk}'):
            with pytest.raises(MalformedRecordError):
                parse_record(text)
