"""What settings say of who issues records, and of where subscribers may be."""

import pytest

from api.embedded import _issuer, _private_addresses
from api.settings import Settings
from settlement.charging.documents.issuer import BadIssuerError

HERE = "http://127.0.0.1:8000"


class TestIssuer:
    def test_is_nobody_known_where_the_service_listens(self):
        found = _issuer(Settings(), HERE)
        assert (found.country_code, found.public_url, found.places) == ("ZZ", HERE, {})

    def test_is_read_from_the_file_that_is_named(self, tmp_path):
        file = tmp_path / "issuer.toml"
        file.write_text('country_code = "FR"\nparty_id = "ABC"\n')
        settings = Settings(issuer=file, public_url="https://voisin.example/")
        found = _issuer(settings, HERE)
        assert (found.country_code, found.party_id) == ("FR", "ABC")
        assert found.public_url == "https://voisin.example"

    def test_is_not_guessed_from_a_file_that_says_something_else(self, tmp_path):
        file = tmp_path / "issuer.toml"
        file.write_text('land = "FR"\n')
        with pytest.raises(BadIssuerError):
            _issuer(Settings(issuer=file), HERE)


@pytest.mark.parametrize(
    ("host", "said", "private"),
    [
        ("127.0.0.1", None, True),
        ("::1", None, True),
        ("localhost", None, True),
        ("192.168.1.5", None, False),
        ("voisin.example", None, False),
        ("192.168.1.5", True, True),
        ("127.0.0.1", False, False),
    ],
)
def test_subscribers_are_on_private_addresses_only_if_all_users_are_local(host, said, private):
    assert _private_addresses(Settings(private_addresses=said), host) is private
