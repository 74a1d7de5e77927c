"""The witnesses that a setting names."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.proofs import NoteKey, SignatureKind
from settlement.engine.checkpoints.http_witness import BadWitnessSettingError, parse_witnesses

PUBLIC = Ed25519PrivateKey.from_private_bytes(b"w" * 32).public_key()
ONE, TWO = (NoteKey(f"grid/w{n}", PUBLIC, SignatureKind.COSIGNATURE) for n in (1, 2))


@pytest.fixture
def read():
    made = []

    def reading(setting):
        found = parse_witnesses(setting)
        made.extend(found)
        return found

    yield reading
    for one in made:
        one.close()


class TestSetting:
    def test_names_addresses_and_keys(self, read):
        setting = f"http://a:1 {ONE.encoded()}, https://b/w/  {TWO.encoded()},"
        assert [one.key for one in read(setting)] == [ONE, TWO]
        assert [one._url for one in read(setting)] == [
            "http://a:1/add-checkpoint",
            "https://b/w/add-checkpoint",
        ]

    @pytest.mark.parametrize("setting", ["", " ", ",", " , "])
    def test_may_name_none(self, read, setting):
        assert read(setting) == ()

    @pytest.mark.parametrize(
        "setting",
        [
            "http://a",
            ONE.encoded(),
            f"a {ONE.encoded()}",
            f"http://a {ONE.encoded()} b",
            f"http://a {ONE.encoded()[:-4]}",
            f"http://a {NoteKey('grid/w1', PUBLIC).encoded()}",
            f"http://a {ONE.encoded()},http://b {ONE.encoded()}",
        ],
    )
    def test_of_another_form_is_refused(self, read, setting):
        with pytest.raises(BadWitnessSettingError) as caught:
            read(setting)
        assert caught.value.code == "bad_witness_setting"
