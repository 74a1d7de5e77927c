"""Who issues charge detail records is read from TOML, and refused if OCPI could not carry it."""

import pytest

from settlement.charging.documents.issuer import BadIssuerError, Issuer, ocpi_id, parse_issuer

GOOD = """
country_code = "FR"
party_id = "ABC"
name = "Les Toits"
[stations.CA-314]
address = "Rue des Toits 3"
city = "Nantes"
country = "FRA"
latitude = "47.21837"
longitude = "-1.55362"
"""


class TestParseIssuer:
    def test_reads_who_and_where(self):
        found = parse_issuer(GOOD)
        assert (found.country_code, found.party_id, found.name) == ("FR", "ABC", "Les Toits")
        assert found.place_of("CA-314", "x").city == "Nantes"
        assert found.evse_id("CA-314") == "FR*ABC*ECA314*1"

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ('"FR"', '"FRA"'),
            ('"ABC"', '"abc"'),
            ('"FRA"', '"FR"'),
            ('"47.21837"', '"47.2"'),
            ('"Nantes"', f'"{"N" * 46}"'),
            ("city", "town"),
            ('"Les Toits"', "3"),
            ('address = "Rue des Toits 3"', ""),
            ("[stations.CA-314]", "stations = 3\n[more]"),
            ("country_code =", "country_code"),
        ],
    )
    def test_refuses_what_no_record_could_carry(self, before, after):
        assert before in GOOD
        with pytest.raises(BadIssuerError):
            parse_issuer(GOOD.replace(before, after))

    def test_says_that_a_place_is_not_known_by_a_country_that_there_is_not(self):
        found = Issuer().place_of("S" * 48, "C" * 60)
        assert (found.country, found.latitude) == ("ZZZ", "0.00000")
        assert (len(found.address), len(found.city)) == (45, 45)


def test_a_short_id_is_a_part_of_the_long_one_or_a_hash_for_a_purpose():
    session = "0x" + "0123456789abcdef" * 4
    assert ocpi_id(session) == "01234567-89ab-cdef-0123-456789abcdef"
    assert ocpi_id(session, "cdr/0") != ocpi_id(session, "cdr/1")
    assert ocpi_id(session, "cdr/0") == ocpi_id(session, "cdr/0")
