"""OCMF and JSON texts one at a time: each refusal by name, and the scan for the end of a string."""

from dataclasses import dataclass

import pytest

from contracts.typed_data import keccak
from settlement.charging.terms import contract_tuple
from tests.contracts.ocmf_cases import (
    BEGIN,
    END,
    NO_JSON,
    NO_UTF8,
    PAYLOADS_REFUSED,
    PLAIN,
    SHAPES_READ,
    SHAPES_REFUSED,
    TAG,
    body,
    with_readings,
)
from tests.contracts.support import NOBODY, START_S, Fork, sign_payload

LENGTHS = range(71)


@dataclass(frozen=True, repr=False)
class Scene:
    world: object
    terms: object
    fork: Fork

    def close(self, payload: bytes):
        """Try to close with ``payload``, signed by the meter."""
        fork = self.fork.branch()
        return fork.close(self.terms, payload, sign_payload(self.world.k1, payload))

    def energy_wh(self, payload: bytes) -> int:
        result = self.close(payload)
        assert result.error is None, (result.error, result.arguments, payload)
        return result.event("SessionClosed")["energyWh"]


@pytest.fixture(scope="module")
def scene(world):
    """A session on the secp256k1 meter, opened half a day ago."""
    terms = world.terms("texts", id_tag=TAG)
    fork = world.fork(START_S)
    assert fork.open(terms).error is None
    fork.move_to(START_S + 43_200)
    return Scene(world, terms, fork)


class TestReading:
    @pytest.mark.parametrize(
        ("readings", "energy_wh"),
        SHAPES_READ,
    )
    def test_in_this_shape_gives_these_watt_hours(self, scene, readings, energy_wh):
        assert scene.energy_wh(with_readings(*readings)) == energy_wh

    @pytest.mark.parametrize(
        ("readings", "error"),
        SHAPES_REFUSED,
    )
    def test_in_this_shape_is_refused_by_name(self, scene, readings, error):
        assert scene.close(with_readings(*readings)).error == error

    def test_of_every_decimal_is_subtracted_before_it_is_rounded(self, scene):
        first = '{"TX":"B","RV":0.0009,"RU":"kWh","ST":"G"}'
        assert scene.energy_wh(with_readings(first, '{"TX":"E","RV":0.0010}')) == 0
        assert scene.energy_wh(with_readings(first, '{"TX":"E","RV":0.0019}')) == 1
        assert scene.energy_wh(with_readings(first, '{"TX":"E","RV":1.9,"RU":"Wh"}')) == 1

    def test_of_the_largest_numbers_does_not_overflow(self, scene):
        largest = "999999999999999999.999999999999"
        first = f'{{"TX":"B","RV":{largest},"RU":"kWh","ST":"G"}}'
        assert scene.energy_wh(with_readings(first, f'{{"TX":"E","RV":{largest}}}')) == 0


class TestPayload:
    @pytest.mark.parametrize(
        ("members", "error"),
        PAYLOADS_REFUSED,
    )
    def test_in_this_shape_is_refused_by_name(self, scene, members, error):
        assert scene.close(body(**members)).error == error

    @pytest.mark.parametrize(
        "member",
        ['"\\u0050G":"T9"', '"\\u0049D":"X"', '"P\\n":1', '"XX":{"\\t":1}', '"XX":[{"a\\"b":1}]'],
    )
    def test_with_an_escape_in_a_key_is_malformed_at_every_level(self, scene, member):
        assert scene.close(PLAIN[:-1] + f",{member}}}".encode()).error == "Json_Malformed"

    def test_may_hold_a_key_twice_that_nobody_reads(self, scene):
        twice = b',"XX":1,"XX":2,"IS":true,"IS":false,"MV":"a","MV":"b","":0,"":0}'
        assert scene.energy_wh(PLAIN[:-1] + twice) == 5_500

    @pytest.mark.parametrize(
        "text",
        NO_JSON,
    )
    def test_that_is_no_json_is_malformed_by_name(self, scene, text):
        assert scene.close(text).error == "Json_Malformed"

    def test_cut_anywhere_is_refused_by_name(self, scene):
        for length in range(len(PLAIN)):
            result = scene.close(PLAIN[:length])
            assert result.error == "Json_Malformed", length

    @pytest.mark.parametrize(
        "value",
        [
            "0",
            "-1.5E+3",
            "true",
            "null",
            "[]",
            "{}",
            "[ ]",
            "{ }",
            "[1,[2],{}]",
            '{"RD":[{"RV":1}]}',
        ],
    )
    def test_skips_what_it_does_not_know(self, scene, value):
        known = f',"XX":{value},"PGX":{value},"P":{value},"":{value}}}'.encode()
        assert scene.energy_wh(PLAIN[:-1] + known) == 5_500
        inner = END[:-1] + f',"XV":{value}}}'
        assert scene.energy_wh(with_readings(BEGIN, inner)) == 5_500

    def test_is_nested_as_deep_as_sixteen_and_no_deeper(self, scene):
        for opening, closing in (("[", "]"), ('{"a":', "}")):
            for depth, fits in ((15, True), (16, False)):
                value = opening * depth + "0" + closing * depth
                text = PLAIN[:-1] + f',"XX":{value}}}'.encode()
                error = scene.close(text).error
                assert error == (None if fits else "Json_Malformed"), depth


class TestString:
    """The scan looks at 32 bytes at once; every length and every place in a word must come out."""

    @pytest.mark.parametrize("fill", ["a", "é", "☃", "😀", " ", "#"])
    def test_of_every_length_ends_at_its_own_quote(self, scene, fill):
        for length in LENGTHS[1:]:
            tag = (fill * length).encode()
            found = scene.close(PLAIN.replace(b'"TAG"', b'"' + tag + b'"'))
            assert found.error == "ChargeVault_ForeignRecord", length
            assert found.arguments["found"] == "0x" + keccak(tag).hex(), length

    def test_of_every_length_is_skipped_whole_when_its_key_is_unknown(self, scene):
        for fill in ("a", "é", "\\\\", '\\"', "\\u0022", ",", "}", "]", ":"):
            strings = ",".join(f'"X{n}":"{fill * n}"' for n in LENGTHS)
            assert scene.energy_wh(PLAIN[:-1] + b"," + strings.encode() + b"}") == 5_500

    def test_of_every_length_is_read_over_as_a_key(self, scene):
        for fill in (b"k", b"\xc3\xa9", b"\xf0\x9f\x98\x80", b"'"):
            members = b"".join(b',"' + fill * n + b'_":' + b"%d" % n for n in LENGTHS)
            assert scene.energy_wh(PLAIN[:-1] + members + b"}") == 5_500

    @pytest.mark.parametrize("control", [0x00, 0x01, 0x09, 0x0A, 0x0D, 0x1F])
    def test_with_a_control_character_anywhere_is_malformed_there(self, scene, control):
        start = PLAIN.index(b"TAG")
        for place in LENGTHS:
            tag = b"a" * place + bytes([control]) + b"a" * (70 - place)
            result = scene.close(PLAIN.replace(b"TAG", tag))
            assert result.error == "Json_Malformed", place
            assert result.arguments == {"pos": start + place}

    @pytest.mark.parametrize("plain", [0x20, 0x21, 0x23, 0x5B, 0x5D, 0x7B, 0x7D, 0x7F, 0xA2, 0xDC])
    def test_with_a_character_beside_a_mark_anywhere_is_whole(self, scene, plain):
        for before in ("¢", "a"):
            for place in range(0, 71, 5):
                tag = (before * place + chr(plain) + " " * (70 - place)).encode()
                found = scene.close(PLAIN.replace(b"TAG", tag))
                assert found.arguments["found"] == "0x" + keccak(tag).hex(), place

    @pytest.mark.parametrize("bad", NO_UTF8, ids=bytes.hex)
    def test_that_is_no_utf8_is_malformed_there(self, scene, bad):
        start = PLAIN.index(b"TAG")
        for place in (0, 1, 29, 30, 31, 32, 33, 64):
            tag = b"a" * place + bad + b"a" * (70 - place)
            result = scene.close(PLAIN.replace(b"TAG", tag))
            assert (result.error, result.arguments) == ("Json_Malformed", {"pos": start + place})

    def test_with_a_backslash_anywhere_is_escaped(self, scene):
        for place in LENGTHS:
            for after in (b"n", b'"', b"\\", b"/", b"u00e9"):
                tag = b"a" * place + b"\\" + after + b"b" * (69 - place)
                result = scene.close(PLAIN.replace(b"TAG", tag))
                assert result.error == "Ocmf_Escaped", (place, after)

    @pytest.mark.parametrize("end", [b"", b"\\", b'\\"', b"\\\\", b"\x80"])
    def test_that_does_not_end_is_malformed_wherever_the_text_stops(self, scene, end):
        for length in LENGTHS:
            result = scene.close(b'{"XX":"' + b"a" * length + end)
            assert result.error == "Json_Malformed", length

    def test_that_does_not_end_is_malformed_at_every_place_in_a_word_of_calldata(self, scene):
        for length in range(40):
            text = PLAIN[:-1] + b" " * length + b',"XX":"a'
            assert scene.close(text).error == "Json_Malformed", length


class TestBytesBehindThePayload:
    """What the sender of the transaction puts behind the signed bytes is never read."""

    def close(self, scene, payload: bytes, behind: bytes):
        """Close with ``behind`` directly after the payload's last byte in calldata."""
        world = scene.world
        signature = sign_payload(world.k1, payload)
        opening = scene.fork.opening(scene.terms)
        arguments = (contract_tuple(scene.terms), opening, payload + behind, signature)
        data = bytearray(world.vault.encode("closeWithOcmf", *arguments))
        # The words before: where the terms lie, and three of the opening.
        place = 4 + int.from_bytes(data[4 + 4 * 32 : 4 + 5 * 32])
        assert int.from_bytes(data[place : place + 32]) == len(payload) + len(behind)
        data[place : place + 32] = len(payload).to_bytes(32)
        fork = scene.fork.branch()
        return fork.send_raw(NOBODY, world.vault, bytes(data))

    def test_closes_with_a_whole_payload_whatever_follows(self, scene):
        for behind in (b"", b" ", b"\n" * 33, b'"', b',"PG":"T9"}', b"\\" * 40, b"}" * 33):
            result = self.close(scene, PLAIN, behind)
            assert result.event("SessionClosed")["energyWh"] == 5_500

    def test_never_completes_a_payload_that_stops_short(self, scene):
        for length in range(len(PLAIN)):
            result = self.close(scene, PLAIN[:length], PLAIN[length:])
            assert result.error == "Json_Malformed", length

    def test_never_lengthens_a_number_or_a_string(self, scene):
        for length in range(40):
            text = PLAIN[:-1] + b',"XX":"' + b"a" * length
            assert self.close(scene, text, b'"}').error == "Json_Malformed", length
            escaped = text + b"\\"
            assert self.close(scene, escaped, b'""}').error == "Json_Malformed", length
