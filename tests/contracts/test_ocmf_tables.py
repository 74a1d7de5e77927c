"""What is billed and what is a number, value by value, in the contract and in the service."""

import pytest

from tests.contracts.ocmf_cases import (
    BILLED,
    NO_VALUES,
    NOT_BILLED,
    TEXTS_READ,
    VALUES_READ,
    VALUES_UNREAD,
    payload_of,
    with_end,
)
from tests.contracts.reader import Found, Reader, Refused, check_agreement


@pytest.fixture(scope="module")
def reader(world):
    return Reader(world.node)


HEAD = (
    '{"FV":"1.4","GI":"Voisin field station","GS":"station-01","PG":"T12","MV":"Voisin",'
    '"MM":"Field meter","MS":"VSN-STATION-METER-K1","IS":true,"IL":"VERIFIED","IF":["OCPP_AUTH"],'
    '"IT":"CENTRAL","ID":"0123456789ABCDEF0123","RD":['
)
READING = (
    '{"TM":"2026-11-25T10:00:00,000+0000 S","TX":"%s","RV":%s,"RI":"1-b:1.8.0","RU":"kWh",'
    '"EF":"","ST":"G"}'
)
BEGIN, MIDDLE, END = (
    READING % one for one in (("B", "250.000"), ("C", "253.000"), ("E", "257.250"))
)
FIELD = f"{HEAD}{BEGIN},{END}]}}".encode()
THREE = f"{HEAD}{BEGIN},{MIDDLE},{END}]}}".encode()
KEBA = (
    b'{"FV":"1.0","GI":"KEBA_KCP30","GS":"2","GV":"2.8.5","PG":"T70174","IS":false,"IL":"NONE",'
    b'"IF":["RFID_NONE","OCPP_NONE","ISO15118_NONE","PLMN_NONE"],"IT":"NONE","ID":"","RD":[{"TM":'
    b'"1970-01-01T01:01:48,000+0100 U","TX":"B","EF":"","ST":"G","RV":62500.1271,"RI":"1-b:1.8.0",'
    b'"RU":"kWh"},{"TM":"1970-01-01T01:02:06,000+0100 R","TX":"E","EF":"","ST":"G",'
    b'"RV":62500.1271,"RI":"1-b:1.8.0","RU":"kWh"}]}'
)


class TestRegister:
    @pytest.mark.parametrize("obis", BILLED)
    def test_of_imported_energy_is_billed_by_both(self, reader, obis):
        for text in with_end(begin=obis, ri=f'"{obis}"'):
            found = check_agreement(reader, text)
            assert (found.page, found.energy_wh) == (1, 5), text

    @pytest.mark.parametrize("obis", NOT_BILLED)
    def test_of_anything_else_is_billed_by_neither(self, reader, obis):
        for text in with_end(begin=obis, ri=f'"{obis}"'):
            assert isinstance(check_agreement(reader, text), Refused), text
        for text in with_end(ri=f'"{obis}"'):
            assert isinstance(check_agreement(reader, text), Refused), text

    def test_is_told_from_every_other_by_its_whole_text(self, reader):
        pairs = [("1.8", "1.8.0"), ("1.8.0", "1.8"), ("", "1.8"), ("1.8", ""), ("B0.8", "b0.8")]
        for begin, end in pairs:
            for text in with_end(begin=begin, ri=f'"{end}"'):
                assert check_agreement(reader, text) == Refused("Ocmf_NoEnd")


class TestValue:
    @pytest.mark.parametrize("value", [*VALUES_READ, *(f'"{text}"' for text in TEXTS_READ)])
    def test_that_is_a_plain_number_is_read_by_both(self, reader, value):
        for text in with_end(rv=value):
            assert isinstance(check_agreement(reader, text), Found), text

    @pytest.mark.parametrize("value", VALUES_UNREAD)
    def test_that_is_none_is_refused_where_it_counts(self, reader, value):
        for text in with_end(rv=value):
            assert check_agreement(reader, text) == Refused("Ocmf_BadValue"), text
        for text in with_end(rv=value, ru='"s"'):
            assert check_agreement(reader, text) == Refused("Ocmf_NoEnd"), text

    @pytest.mark.parametrize("value", NO_VALUES)
    def test_that_is_no_json_is_malformed_everywhere(self, reader, value):
        for reason in ('"E"', '"C"'):
            for text in with_end(tx=reason, rv=value or " "):
                assert check_agreement(reader, text) == Refused("Json_Malformed"), text


class TestText:
    @pytest.mark.parametrize("digit", "/:@G`g -")
    @pytest.mark.parametrize("place", range(4))
    def test_with_an_escape_of_no_hexadecimal_digits_is_malformed(self, reader, place, digit):
        escape = "a1B9"[:place] + digit + "a1B9"[place + 1 :]
        text = payload_of(tag="TAG")
        assert isinstance(check_agreement(reader, text[:-1] + b',"XX":"\\u09aF"}'), Found)
        broken = text[:-1] + f',"XX":"\\u{escape}"}}'.encode()
        assert check_agreement(reader, broken) == Refused("Json_Malformed")

    def test_of_two_bytes_is_a_key_only_if_it_is_plain(self, reader):
        text = payload_of(tag="TAG")
        edges = [*b' !"#:;<@ACDGHIJXYZ[\\]^_az{|}~', 0x7F]
        for first in edges:
            for second in edges:
                member = b'"' + bytes([first, second]) + b'":"x"'
                check_agreement(reader, text[:-1] + b"," + member + b"}")
                check_agreement(reader, b"{" + member + b"," + text[1:])


class TestFlags:
    @pytest.mark.parametrize("flags", ["E", "tE", "Et", "EE", "é" * 40 + "E"])
    def test_of_unusable_energy_hold_until_a_reading_takes_them_back(self, reader, flags):
        for text in with_end(ef=f'"{flags}"'):
            assert check_agreement(reader, text) == Refused("Ocmf_EnergyUnusable"), text
        for back, blank in (('""', ""), ('"t"', ""), ('""', " ")):
            first, second = f'{{"EF":"{flags}","RV":1}}', f'{{"TX":"E","EF":{blank}{back},"RV":5}}'
            begin = '{"TX":"B","RV":0,"RU":"Wh","ST":"G"}'
            text = f'{{"PG":"T1","ID":"TAG","RD":[{begin},{first},{second}]}}'
            assert isinstance(check_agreement(reader, text.encode()), Found), text
            plain = f'{{"TM":"","TX":"E","EF":{back},"RV":5}}'
            text = f'{{"PG":"T1","ID":"TAG","RD":[{begin},{first},{plain}]}}'
            assert isinstance(check_agreement(reader, text.encode()), Found), text


class TestGas:
    """The most that reading may cost, on the repository's own machine."""

    @pytest.mark.parametrize(
        ("payload", "gas_max"),
        [(FIELD, 10_500), (KEBA, 12_000), (THREE, 15_000)],
        ids=["field", "KEBA", "three readings"],
    )
    def test_of_a_usual_record_is_small(self, reader, payload, gas_max):
        assert isinstance(check_agreement(reader, payload), Found)
        assert reader.gas_used <= gas_max
