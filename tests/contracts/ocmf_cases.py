"""Texts of records, and what each is: read, or refused for this reason."""

TAG = "TAG"


def payload_of(*, tag: str, page: int = 1, begin: str = "10.000", end: str = "15.500") -> bytes:
    """Return the payload of a plain record, registers in kWh."""
    return (
        f'{{"FV":"1.4","PG":"T{page}","ID":"{tag}","RD":['
        f'{{"TX":"B","RV":{begin},"RU":"kWh","ST":"G"}},'
        f'{{"TX":"E","RV":{end},"RU":"kWh","ST":"G"}}]}}'
    ).encode()


PLAIN = payload_of(tag=TAG)
NO_UTF8 = [
    b"\x80", b"\xbf", b"\xff", b"\xc3", b"\xc3a", b"\xc3\xc3", b"\xc0\x80", b"\xc1\xbf",
    b"\xe2\x98", b"\xe2\x98a", b"\xe2a\x83", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xed\xbf\xbf",
    b"\xf0\x9f\x98", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80",
    b"\xf8\x88\x80\x80\x80",
]  # fmt: skip


def with_readings(*readings: str) -> bytes:
    return f'{{"PG":"T1","ID":"{TAG}","RD":[{",".join(readings)}]}}'.encode()


BEGIN = '{"TX":"B","RV":10.000,"RU":"kWh","ST":"G"}'
END = '{"TX":"E","RV":15.500,"RU":"kWh","ST":"G"}'

SHAPES_READ = [
    ((BEGIN, END), 5_500),
    ((BEGIN, '{"TX":"E","RV":15500,"RU":"Wh"}'), 5_500),
    ((BEGIN, '{"TX":"L","RV":15.5}'), 5_500),
    ((BEGIN, '{"TX":"R","RV":"  15.5  "}'), 5_500),
    ((BEGIN, '{"TX":"A","RV":"0015.500000000000"}'), 5_500),
    ((BEGIN, '{"TX":"E","RV":15.000999999999}'), 5_000),
    ((BEGIN, '{"TX":"C","RV":11}', '{"TX":"E","RV":12}'), 2_000),
    ((BEGIN, '{"TX":"E","RV":11}', '{"RV":12}'), 2_000),
    ((BEGIN, '{"TX":"E","RV":13}', '{"RV":12}'), 2_000),
    ((BEGIN, '{"TX":"B","RV":12}', '{"TX":"E","RV":13}'), 3_000),
    ((BEGIN, '{"TX":"EX","RV":99}', '{"TX":"E","RV":12}'), 2_000),
    ((BEGIN, '{"TX":"","RV":99}', '{"TX":"E","RV":12}'), 2_000),
    ((BEGIN, '{"TX":"C","RV":9,"ST":"X"}', '{"TX":"E","RV":12,"ST":"G"}'), 2_000),
    ((BEGIN, '{"TX":"E","RV":9,"ST":"X"}', '{"TX":"E","RV":12,"ST":"G"}'), 2_000),
    ((BEGIN, '{"TX":"E","RV":9,"EF":"E"}', '{"RV":12,"EF":""}'), 2_000),
    ((BEGIN, '{"TX":"C","RV":-1.5e9}', '{"TX":"E","RV":12}'), 2_000),
    ((BEGIN, '{"TX":"E","RV":[{}]}', '{"TX":"E","RV":12}'), 2_000),
    ((BEGIN, '{"TX":"C"}', "{}", '{"TX":"E","RV":12}'), 2_000),
    ((BEGIN, '{"TX":"E","RV":12}', '{"RV":99,"RU":"s"}'), 2_000),
    ((BEGIN, '{"TX":"E","RV":12}', '{"RV":"x","RI":"1-b:2.8.0"}'), 2_000),
    (('{"TX":"B","RV":1,"RU":"W","ST":"G"}', BEGIN, '{"TX":"E","RV":12}'), 2_000),
    ((BEGIN, '{"TX":"E","RV":12,"TM":7,"TM":[],"RT":{}}'), 2_000),
    ((BEGIN, '{"TX":"E","RV":12,"EF":"t"}'), 2_000),
    (('{"TX":"B","RV":0,"RU":"Wh","ST":"G"}', '{"TX":"E","RV":0}'), 0),
]
"""Readings, and the energy that they are, in Wh."""

SHAPES_REFUSED = [
    (("",), "Ocmf_NoBegin"),
    (("{}",), "Ocmf_NoBegin"),
    (("7",), "Json_Malformed"),
    ((END,), "Ocmf_NoBegin"),
    ((BEGIN,), "Ocmf_NoEnd"),
    ((BEGIN, '{"TX":"X","RV":15}'), "Ocmf_NoEnd"),
    ((BEGIN, '{"TX":"e","RV":15}'), "Ocmf_NoEnd"),
    ((BEGIN, '{"TX":"E"}'), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":""}'), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":"."}'), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":".5"}'), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":"15."}'), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":"1.5.5"}'), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":" 1 5 "}'), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":"   "}'), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":"1\\u0035"}'), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":"15:"}'), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":"15/"}'), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":-0}'), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":1.5E2}'), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":.5}'), "Json_Malformed"),
    ((BEGIN, '{"TX":"E","RV":15.}'), "Json_Malformed"),
    ((BEGIN, '{"TX":"E","RV":15.,"ST":"G"}'), "Json_Malformed"),
    ((BEGIN, '{"TX":"E","RV":00}'), "Json_Malformed"),
    ((BEGIN, '{"TX":"E","RV":015}'), "Json_Malformed"),
    ((BEGIN, '{"TX":"E","RV":00.5}'), "Json_Malformed"),
    ((BEGIN, '{"TX":"E","RV":-}'), "Json_Malformed"),
    ((BEGIN, '{"TX":"E","RV":1e}'), "Json_Malformed"),
    ((BEGIN, '{"TX":"E","RV":-15}'), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":+15}'), "Json_Malformed"),
    ((BEGIN, '{"TX":"E","RV":null}'), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":[15]}'), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":1234567890123456789}'), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":15.0000000000000}'), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":15e1}'), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":15e1,"ST":"G"}'), "Ocmf_BadValue"),
    (('{"TX":"B","RV":-1,"RU":"kWh","ST":"G"}', END), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":15.5.5}'), "Json_Malformed"),
    ((BEGIN, '{"TX":"E","RV":15 5}'), "Json_Malformed"),
    ((BEGIN, '{"TX":"E","RV":"15,5"}'), "Ocmf_BadValue"),
    ((BEGIN, '{"TX":"E","RV":"15.5}'), "Json_Malformed"),
    ((BEGIN, '{"TX":"E","RV":15,"RU":"mWh"}'), "Ocmf_NoEnd"),
    ((BEGIN, '{"TX":"E","RV":15,"RU":"KWH"}'), "Ocmf_NoEnd"),
    ((BEGIN, '{"TX":"E","RV":15,"RU":""}'), "Ocmf_NoEnd"),
    ((BEGIN, '{"TX":"E","RV":15,"RU":"kWh "}'), "Ocmf_NoEnd"),
    (('{"TX":"B","RV":1,"ST":"G"}', END), "Ocmf_NoBegin"),
    ((BEGIN, '{"TX":"E","RV":15,"RU":7}'), "Json_Malformed"),
    ((BEGIN, '{"TX":"E","RV":15,"RI":"1-b:1.8.0"}'), "Ocmf_NoEnd"),
    ((END, BEGIN), "Ocmf_NoEnd"),
    ((BEGIN, '{"TX":"E","RV":15,"ST":"X"}'), "Ocmf_EnergyUnusable"),
    ((BEGIN, '{"TX":"E","RV":15,"ST":"GG"}'), "Ocmf_EnergyUnusable"),
    ((BEGIN, '{"TX":"E","RV":15,"ST":"X","EF":""}'), "Ocmf_EnergyUnusable"),
    ((BEGIN, '{"TX":"E","RV":15,"ST":"X","EF": "t"}'), "Ocmf_EnergyUnusable"),
    ((BEGIN, '{"TX":"E","RV":15,"EF":"E"}'), "Ocmf_EnergyUnusable"),
    ((BEGIN, '{"TX":"E","RV":15,"EF":"tE"}'), "Ocmf_EnergyUnusable"),
    (('{"TX":"B","RV":1,"RU":"kWh"}', '{"TX":"E","RV":2}'), "Ocmf_EnergyUnusable"),
    (
        ('{"TX":"B","RV":1,"RU":"kWh","ST":"G","EF":"E"}', '{"TX":"E","RV":2,"EF":""}'),
        "Ocmf_EnergyUnusable",
    ),
    ((BEGIN, '{"TX":"E","RV":9.999999999999}'), "Ocmf_Backwards"),
    ((BEGIN, '{"TX":"E","RV":15,"RV":16}'), "Ocmf_DuplicateKey"),
    ((BEGIN, '{"TX":"E","RV":15,"TX":"E"}'), "Ocmf_DuplicateKey"),
    ((BEGIN, '{"TX":"E","RV":15,"RU":"kWh","RU":"Wh"}'), "Ocmf_DuplicateKey"),
    ((BEGIN, '{"TX":"E","RV":15,"ST":"G","ST":"G"}'), "Ocmf_DuplicateKey"),
    ((BEGIN, '{"TX":"E","RV":15,"EF":"","EF":""}'), "Ocmf_DuplicateKey"),
    ((BEGIN, '{"TX":"E","RV":15,"RI":"","RI":""}'), "Ocmf_DuplicateKey"),
    ((BEGIN, '{"TX":"C","RV":15, "RV":16}', END), "Ocmf_DuplicateKey"),
    ((BEGIN, '{"TX":"\\u0045","RV":15}'), "Ocmf_Escaped"),
    ((BEGIN, '{"TX":"E","RV":15,"RU":"k\\u0057h"}'), "Ocmf_Escaped"),
    ((BEGIN, '{"TX":"E","RV":15,"ST":"\\u0047"}'), "Ocmf_Escaped"),
    ((BEGIN, '{"TX":"E","RV":15,"EF":"\\u0045"}'), "Ocmf_Escaped"),
    ((BEGIN, '{"TX":"E","RV":15,"RI":"\\u0031.8"}'), "Ocmf_Escaped"),
    ((BEGIN, '{"TX":"C","RV":15,"RI":"\\u0031.8"}', END), "Ocmf_Escaped"),
    ((BEGIN, '{"T\\u0058":"C","RV":15}', END), "Json_Malformed"),
]
"""Readings, and why nothing is taken from them."""


def body(**members: str) -> bytes:
    """Return a payload of ``members``; a second PG or ID goes by a name of small letters."""
    return ("{" + ",".join(f'"{k.upper()}":{v}' for k, v in members.items()) + "}").encode()


READINGS = f"[{BEGIN},{END}]"
PAYLOADS_REFUSED = [
    ({"PG": '"T1"', "ID": '"TAG"'}, "Ocmf_Incomplete"),
    ({"ID": '"TAG"', "RD": READINGS}, "Ocmf_Incomplete"),
    ({"PG": '"F1"', "ID": '"TAG"', "RD": READINGS}, "Ocmf_NotATransaction"),
    ({"PG": '"T"', "ID": '"TAG"', "RD": READINGS}, "Ocmf_NotATransaction"),
    ({"PG": '""', "ID": '"TAG"', "RD": READINGS}, "Ocmf_NotATransaction"),
    ({"PG": '"1"', "ID": '"TAG"', "RD": READINGS}, "Ocmf_NotATransaction"),
    ({"PG": '"t1"', "ID": '"TAG"', "RD": READINGS}, "Ocmf_NotATransaction"),
    ({"PG": '"T1 "', "ID": '"TAG"', "RD": READINGS}, "Ocmf_NotATransaction"),
    ({"PG": '"T-1"', "ID": '"TAG"', "RD": READINGS}, "Ocmf_NotATransaction"),
    ({"PG": '"T1234567890123456789"', "ID": '"TAG"'}, "Ocmf_NotATransaction"),
    ({"PG": "1", "ID": '"TAG"', "RD": READINGS}, "Json_Malformed"),
    ({"PG": '"T1"', "ID": "7", "RD": READINGS}, "Json_Malformed"),
    ({"PG": '"T1"', "ID": "null", "RD": READINGS}, "Json_Malformed"),
    ({"PG": '"T1"', "ID": '"TAG"', "RD": "[]"}, "Ocmf_NoBegin"),
    ({"PG": '"T1"', "RD": READINGS}, "ChargeVault_Unbindable"),
    ({"PG": '"T1"', "ID": '""', "RD": READINGS}, "ChargeVault_Unbindable"),
    ({"PG": '"T1"', "ID": '"TAG"', "RD": "{}"}, "Json_Malformed"),
    ({"PG": '"T1"', "ID": '"TAG"', "RD": READINGS, "pg": '"T2"'}, "Ocmf_DuplicateKey"),
    ({"PG": '"T1"', "ID": '"TAG"', "RD": READINGS, "id": '"X"'}, "Ocmf_DuplicateKey"),
    ({"PG": '"T1"', "RD": READINGS, "rd": READINGS}, "Ocmf_DuplicateKey"),
    ({"PG": '"T\\u0031"', "ID": '"TAG"', "RD": READINGS}, "Ocmf_Escaped"),
    ({"PG": '"T1"', "ID": '"\\u0054AG"', "RD": READINGS}, "Ocmf_Escaped"),
    ({"PG": '"T1"', "ID": '"tag"', "RD": READINGS}, "ChargeVault_ForeignRecord"),
    ({"PG": '"T1"', "ID": '"TAG "', "RD": READINGS}, "ChargeVault_ForeignRecord"),
]
"""Members of a payload, and why nothing is taken from it, by its reader or by the vault."""

NO_JSON = [
    b"",
    b" ",
    b"null",
    b"[]",
    b'"',
    b"," + PLAIN[1:],
    PLAIN[1:],
    b" ," + PLAIN[1:],
    b"[" + PLAIN[1:],
    PLAIN[:-1] + b",}",
    PLAIN[:-1] + b',"XX":tru}',
    PLAIN[:-1] + b',"XX":truee}',
    PLAIN[:-1] + b',"XX":nul}',
    PLAIN[:-1] + b',"XX":}',
    PLAIN[:-1] + b',"XX":01}',
    PLAIN[:-1] + b',"XX":1.}',
    PLAIN[:-1] + b',"XX":1e+}',
    PLAIN[:-1] + b',"XX":NaN}',
    PLAIN[:-1] + b',"XX":[1,]}',
    PLAIN[:-1] + b',"XX":[,1]}',
    PLAIN[:-1] + b',"XX":["a",]}',
    PLAIN[:-1] + b',"IF":["a",]}',
    PLAIN[:-1] + b',"IF":["a"}}',
    PLAIN[:-1] + b',"XX":{"a"}}',
    PLAIN[:-1] + b',"XX":{"a":1,}}',
    PLAIN[:-1] + b',"XX":{"a":1]}',
    PLAIN[:-1] + b',"X"":1}',
    PLAIN[:-1] + b',""X":1}',
    PLAIN[:-1] + b',"XX":"a|b"}',
    PLAIN[:-1] + b',"XX":"a\\x"}',
    PLAIN[:-1] + b',"XX":"a\\u12G4"}',
    PLAIN[:-1] + b',"XX" "a"}',
    PLAIN.replace(b"}]", b"}"),
    b"{",
    b'{"',
    b'{"PG',
    b'{"PG"',
    b'{"PG":',
    b'{"PG":"T1",}',
    b'{PG:"T1"}',
    b"{'PG':'T1'}",
    PLAIN + b"x",
    PLAIN + b"{}",
    PLAIN + b"\x00",
    b"\xef\xbb\xbf" + PLAIN,
    b"x" + PLAIN,
    PLAIN.replace(b",", b";"),
    PLAIN.replace(b"[", b"("),
]
"""What is malformed."""

BILLED = [
    "", "1-b:1.8.0", "1-b:1.8.e", "1-0:1.8.1", "1-0:1.8.0*198", "01-00:01.08.00.FF", "1.8", "1.8*1",
    "01-00:B0.08.00*FF", "01-00:B1.08.00*FF", "01-00:B2.08.00*FF", "1-b:b3.8.0", "1.8.0", ":1.8",
    "é☃:1.8", "1-b:1.8." + "0" * 22, "1.08", "01.8", "B0.8", "-+ :b0.08", "1-b:1.8.0",
]  # fmt: skip
NOT_BILLED = [
    "1-b:1.9.0", "1-b:2.8.0", "01-00:02.08.00.FF", "01-00:C0.08.00*FF", "01-00:B4.08.00*FF",
    "01-00:B/.08.00*FF", "01-00:B.08.00*FF", "01-00:00.08.06.FF", "1-0:11.8.0", "1-0:21.8.0",
    "1-0:1.80.0", "1-0:1.81", "1-0:1.008.0", "1-0:001.8.0", "1-0:1.8-0", "1-0:1.8 ", " 1.8.0",
    "1:1:1.8.0", "1-0:1,8,0", "1-0:1.7.0", "1-0:", ":", "?", "power", "1-b:1.8." + "0" * 23,
    "1-b:1.8é", "1-b:0.8.0", "1-b:A0.8", "1-b:C3.8", "1-b:1.8." + "0" * 40, "1-b:1.08é", "1.8:1.9",
]  # fmt: skip
VALUES_READ = [
    "0", "0.5", "7", "10", "10.5", "123456789012345678", "123456789012345678.123456789012",
    "999999999999999999.999999999999", "0.000000000001", "1.0", "1.000000000000",
]  # fmt: skip
TEXTS_READ = [
    *VALUES_READ, "007", "00.50", "  7", "7  ", "   7.25   ", "0" * 17 + "7", " " * 40 + "1",
]  # fmt: skip
VALUES_UNREAD = [
    "-1", "-0", "-0.5", "1e3", "1E3", "1.5e-2", "1e+2", "1234567890123456789", "1.0000000000001",
    "1234567890123456789.1", "1234567890123456789012345678901", "1" * 32, "1" * 40, "1." + "1" * 40,
    "null", "true", "false", "[]", "{}", "[1]", '""', '" "', '"."', '"5."', '".5"', '"1.2.3"',
    '"1,5"', '"+1"', '"-1"', '"1 2"', '"1e3"', '"0x10"', '"1_0"', '"1:"', '"1/"', '"1\\u0030"',
    '"\\n1"', '"é1"', '"1234567890123456789"', '"1.0000000000001"', '"' + "1" * 90 + '"',
]  # fmt: skip
NO_VALUES = [
    "", "00", "01", "00.5", "1.", ".5", "1.e3", "1e", "1e+", "+1", "--1", "-", "-.5", "1..2",
    "1.2.3",
    "1 2", "nul", "NaN", "Infinity", "0x10", "1_0", "'1'", '"1', "1]",
]  # fmt: skip


def with_end(begin="1.8", **members):
    """Return payloads that end with ``members``, in three orders, with white space and without."""
    first = f'{{"TM":"","TX":"B","RV":0,"RI":"{begin}","RU":"Wh","ST":"G"}}'
    end = {"TX": '"E"', "RV": "5", **{name.upper(): value for name, value in members.items()}}
    for order in (end, dict(reversed(end.items())), {"TM": '""', **end, "ST": '"G"'}):
        for blank in ("", " "):
            inner = ",".join(f'"{name}":{blank}{value}{blank}' for name, value in order.items())
            yield f'{{"PG":"T1","ID":"TAG","RD":[{first},{{{inner}}}]}}'.encode()
