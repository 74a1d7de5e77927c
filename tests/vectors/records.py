"""Texts of records with what a reader must make of them, in the words of the tests' own tables."""

import re
from collections.abc import Iterator
from fractions import Fraction

from sha3 import keccak_256

from tests.contracts.ocmf_cases import (
    BEGIN,
    BILLED,
    NO_JSON,
    NO_UTF8,
    NO_VALUES,
    NOT_BILLED,
    PAYLOADS_REFUSED,
    PLAIN,
    READINGS,
    SHAPES_READ,
    SHAPES_REFUSED,
    TAG,
    TEXTS_READ,
    VALUES_READ,
    VALUES_UNREAD,
    body,
    with_end,
    with_readings,
)

Read = tuple[bytes, int, str]
"""A text of page 1, its energy in Wh, and its idTag."""

Refused = tuple[bytes, str, bytes]
"""A text, the error with the types of its arguments, and the arguments, if they are known."""

ERRORS = {
    "Json_Malformed": "Json_Malformed(uint256)",
    "Ocmf_BadValue": "Ocmf_BadValue(uint256)",
    "Ocmf_NoBegin": "Ocmf_NoBegin()",
    "Ocmf_NoEnd": "Ocmf_NoEnd()",
    "Ocmf_EnergyUnusable": "Ocmf_EnergyUnusable()",
    "Ocmf_Backwards": "Ocmf_Backwards(uint256,uint256)",
    "Ocmf_DuplicateKey": "Ocmf_DuplicateKey(bytes2)",
    "Ocmf_Escaped": "Ocmf_Escaped(bytes2)",
    "Ocmf_Incomplete": "Ocmf_Incomplete()",
    "Ocmf_NotATransaction": "Ocmf_NotATransaction()",
}
LENGTHS = range(36)
USUAL_BEGIN = '{"TM":"","TX":"B","RV":0,"RI":"1-b:1.8.0","RU":"kWh","EF":"","ST":"G"}'
PLACES = (0, 1, 29, 30, 31, 32, 33, 64)


def keccak(data: bytes) -> bytes:
    return bytes(keccak_256(data).digest())


def tagged(tag: bytes) -> bytes:
    return PLAIN.replace(b'"TAG"', b'"' + tag + b'"')


def beside(members: bytes) -> bytes:
    """Return the plain record with more members."""
    return PLAIN[:-1] + members + b"}"


def deep(depth: int) -> Iterator[str]:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        yield f"{opening * depth}0{closing * depth}"


def nested(depth: int) -> Iterator[bytes]:
    """Yield records with a value of this depth in them, where each way of reading meets it."""
    for value in deep(depth):
        for member in ('"XX":', '"XX" : ', '"X":', '"IS":', '"IF":'):
            yield beside(f",{member}{value}".encode())
            yield PLAIN.replace(b'"ID"', f'{member}{value},"ID"'.encode())
    yield beside(f',"IF":["a",{"[" * (depth - 1)}0{"]" * (depth - 1)}]'.encode())


def nested_readings(depth: int) -> Iterator[bytes]:
    """Yield records with such a value in a reading that counts, and in one that does not."""
    for value in deep(depth):
        yield with_readings(BEGIN, f'{{"TX":"E","RV":15.5,"XV":{value}}}')
        yield with_readings(BEGIN, f'{{"TX":"C","RV":{value}}}', '{"TX":"E","RV":15.5}')


def blanks() -> Iterator[bytes]:
    """Yield the plain record with white space at each place where some may be, and everywhere."""
    parts = re.split(rb"(?<=[,:{}\[\]])|(?=[,:}\]])", PLAIN)
    for blank in (b" ", b"\t", b"\n", b"\r", b" \r\n\t "):
        yield blank.join([b"", *parts, b""])
        for at in range(len(parts) + 1):
            yield b"".join(parts[:at]) + blank + b"".join(parts[at:])


def arrays() -> Iterator[bytes]:
    """Yield records with lists of texts, as identification flags are, and of anything else."""
    for inner in ('"a"', '"a","b"', '"RFID_PLAIN","OCPP_RS_TLS","é"', '"a" ,"b"', '"a", "b"', ""):
        for more in (
            "",
            ',"c,]"',
            ',{"d":["e"]}',
            ",7",
            ",null",
            ',"\\n"',
            ',"\\uFFFF\\uabcd"',
            ',"\\uffff\\uAAAA\\u0099"',
        ):
            text = f"[{inner}{more}]" if inner else f"[{more[1:]}]"
            yield beside(f',"IF":{text}'.encode())
            yield PLAIN.replace(b'"ID"', f'"IF":{text},"ID"'.encode())


def taken_back() -> Iterator[bytes]:
    """Yield records of 5 Wh whose flags of unusable energy a later reading takes back."""
    begin = '{"TX":"B","RV":0,"RU":"Wh","ST":"G"}'
    for flags in ("E", "tE", "Et"):
        for back in ('""', '"t"', ' ""'):
            first, second = f'{{"EF":"{flags}","RV":1}}', f'{{"TX":"E","EF":{back},"RV":5}}'
            yield with_readings(begin, first, second)


def read() -> Iterator[Read]:
    """Yield what is read."""
    for readings, energy_wh in SHAPES_READ:
        yield with_readings(*readings), energy_wh, TAG
    for obis in BILLED:
        yield from ((one, 5, TAG) for one in with_end(begin=obis, ri=f'"{obis}"'))
    for value in (*VALUES_READ, *(f'"{text}"' for text in TEXTS_READ)):
        energy_wh = int(Fraction(value.strip('" ')))
        yield from ((one, energy_wh, TAG) for one in with_end(rv=value))
    for fill in ("a", "é", "☃", "😀", " ", "#"):
        tags = (fill * length for length in LENGTHS[1:])
        yield from ((tagged(tag.encode()), 5_500, tag) for tag in tags)
    plain = (*skipped(), *blanks(), *arrays(), *nested(15), *nested_readings(13))
    yield from ((text, 5_500, TAG) for text in plain)
    for tag in (b"\xc2\x80", b"\xdf\xbf", b"\xe0\xa0\x80", b"\xed\x9f\xbf", b"\xee\x80\x80"):
        yield tagged(tag), 5_500, tag.decode()
    for tag in (b"\xef\xbf\xbf", b"\xf0\x90\x80\x80", b"\xf4\x8f\xbf\xbf"):
        yield tagged(tag), 5_500, tag.decode()
    yield from ((text, 5, TAG) for text in taken_back())
    unnamed, named_empty = '{"TX":"B","RV":0,"RU":"Wh","ST":"G"}', '{"TX":"E","RV":5,"RI":""}'
    yield with_readings(unnamed, named_empty), 5, TAG


def skipped() -> Iterator[bytes]:
    """Yield records of 5.5 kWh with more in them than anybody reads."""
    for fill in ("a", "é", "\\\\", '\\"', "\\u0022", ",", "}", "]", ":"):
        strings = ",".join(f'"X{n}":"{fill * n}"' for n in LENGTHS)
        yield beside(b"," + strings.encode())
    for key in (b"k", b"\xc3\xa9", b"\xf0\x9f\x98\x80", b"'"):
        yield beside(b"".join(b',"' + key * n + b'_":' + b"%d" % n for n in LENGTHS))
    for value in ("0", "-1.5E+3", "true", "null", "[]", "{ }", "[1,[2],{}]", '{"RD":[{"RV":1}]}'):
        yield beside(f',"XX":{value},"PGX":{value},"P":{value},"":{value}'.encode())
        yield with_readings(BEGIN, f'{{"TX":"E","RV":15.5,"XV":{value}}}')


def refused() -> Iterator[Refused]:
    """Yield what is refused."""
    for readings, error in SHAPES_REFUSED:
        yield with_readings(*readings), error, named(error, "".join(readings))
    for members, error in PAYLOADS_REFUSED:
        if error in ERRORS:
            text = body(**members)
            yield text, error, named(error, text.decode().replace(READINGS, ""))
    malformed = [
        *NO_JSON,
        *nested(16),
        *nested_readings(14),
        *broken(),
        *(PLAIN[:length] for length in range(len(PLAIN))),
    ]
    keys = ('"\\u0050G":"T9"', '"P\\n":1', '"XX":{"\\t":1}', '"XX":[{"a\\"b":1}]')
    malformed += [beside(f",{key}".encode()) for key in keys]
    for end in (b"", b"\\", b'\\"', b"\\\\", b"\x80"):
        malformed += [b'{"XX":"' + b"a" * length + end for length in LENGTHS]
    for value in NO_VALUES:
        malformed += [*with_end(rv=value or " "), *with_end(tx='"C"', rv=value or " ")]
    yield from ((text, "Json_Malformed", b"") for text in malformed)
    yield from values_refused()
    yield from strings_refused()


def named(error: str, text: str) -> bytes:
    """Return the key that a refusal names: the one that is there twice, or has an escape."""
    keys = {
        "Ocmf_DuplicateKey": r'"(\w\w)": ?("[^"]*"|[^"{}]*),? ?"\1":',
        "Ocmf_Escaped": r'"(\w\w)":"[^"]*\\',
    }
    found = re.search(keys[error], text) if error in keys else None
    return found[1].encode().ljust(32, b"\0") if found else b""


def broken() -> Iterator[bytes]:
    """Yield the plain record with something in it that is no JSON."""
    for at in range(4):
        for digit in "/:@G`g -":
            escape = "a1B9"[:at] + digit + "a1B9"[at + 1 :]
            yield beside(f',"XX":"\\u{escape}"'.encode())
    for letter in 'acdeghijklmopqsvwxyz"':
        yield beside(f',"XX":"\\{letter}"'.encode()) if letter != '"' else beside(b',"XX":"\\')
    for value in ("1:", "1.5:", "1é", "é", "1e5:", "-:", '["a"', '["a",', '["a" "b"]', '["a";"b"]'):
        yield beside(f',"IF":{value}'.encode())
        yield beside(f',"XX":{value}'.encode())
        yield with_readings(BEGIN, f'{{"TX":"E","RV":{value}}}')
    for byte in (0xAC, 0xAE, 0xB0, 0xB9, 0xFD):
        for value in (b"1" + bytes([byte]), b"1" + bytes([byte]) + b"5", bytes([byte])):
            yield PLAIN.replace(b"15.500", value)


def values_refused() -> Iterator[Refused]:
    for obis in NOT_BILLED:
        yield from ((one, "Ocmf_NoBegin", b"") for one in with_end(begin=obis, ri=f'"{obis}"'))
        yield from ((one, "Ocmf_NoEnd", b"") for one in with_end(ri=f'"{obis}"'))
    for value in VALUES_UNREAD:
        for one in with_end(rv=value):
            place = one.rindex(b'"RV":') + 5
            is_known = one[place : place + 1] != b" "
            yield one, "Ocmf_BadValue", place.to_bytes(32) if is_known else b""
        yield from ((one, "Ocmf_NoEnd", b"") for one in with_end(rv=value, ru='"s"'))
    for more in ("#", "!", '\\"'):
        text = with_readings(USUAL_BEGIN, f'{{"TX":"E","RV":5,"RI":"1-b:1.8.0{more}","ST":"G"}}')
        yield text, "Ocmf_Escaped" if more == '\\"' else "Ocmf_NoEnd", b""
    for twice in ('"RI":"1-b:1.8.0"', '"EF":""', '"ST":"G"', '"RU":"kWh"', '"RV":5', '"TX":"E"'):
        for one in (twice, twice.replace('":', '" :')):
            members = f'"TX":"E","RV":5,"RI":"1-b:1.8.0","RU":"kWh","EF":"",{one},{one},"ST":"G"'
            key = twice[1:3].encode().ljust(32, b"\0")
            yield with_readings(USUAL_BEGIN, f"{{{members}}}"), "Ocmf_DuplicateKey", key
    for flags in ("E", "tE", "Et", "EE", "é" * 40 + "E"):
        yield from ((one, "Ocmf_EnergyUnusable", b"") for one in with_end(ef=f'"{flags}"'))


def strings_refused() -> Iterator[Refused]:
    start = PLAIN.index(b"TAG")
    for control in (0x00, 0x1F):
        for place in LENGTHS:
            tag = b"a" * place + bytes([control]) + b"a" * (35 - place)
            yield tagged(tag), "Json_Malformed", (start + place).to_bytes(32)
    for bad in NO_UTF8:
        for place in PLACES:
            tag = b"a" * place + bad + b"a" * (70 - place)
            yield tagged(tag), "Json_Malformed", (start + place).to_bytes(32)
    for place in LENGTHS:
        for after in (b"n", b'"', b"u00e9"):
            tag = b"a" * place + b"\\" + after + b"b" * (34 - place)
            yield tagged(tag), "Ocmf_Escaped", b"ID".ljust(32, b"\0")


def hexed(data: bytes) -> str:
    return "0x" + data.hex()


def content() -> dict[str, dict[str, list[str]]]:
    """Return the file: columns, so that Solidity reads each at once."""
    good, bad = list(read()), list(refused())
    return {
        "read": {
            "texts": [hexed(text) for text, _, _ in good],
            "energiesWh": [str(energy_wh) for _, energy_wh, _ in good],
            "idTagHashes": [hexed(keccak(tag.encode())) for _, _, tag in good],
        },
        "refused": {
            "texts": [hexed(text) for text, _, _ in bad],
            "errors": [hexed(keccak(ERRORS[error].encode())[:4] + data) for _, error, data in bad],
        },
    }
