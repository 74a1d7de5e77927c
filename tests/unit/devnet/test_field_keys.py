"""The field's keys: the same for a seed, different for all else, and good on their curves."""

import coincurve
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from contracts.typed_data import address_of, keccak
from devnet.field.dataset import load_dataset
from devnet.field.keys import Curve, Kind, Role, build_keys, derive, wallet_of
from devnet.field.parameters import load_parameters

WEEK, PARAMETERS = load_dataset(), load_parameters()
KEYS = build_keys(WEEK, PARAMETERS, seed=1)


class TestBuildKeys:
    def test_gives_every_meter_wallet_and_password_of_the_week(self):
        assert set(KEYS.gateways) == set(KEYS.homes) == set(WEEK.homes)
        assert set(KEYS.stations) == set(KEYS.passwords) == set(WEEK.stations)
        assert len(KEYS.drivers) == len(WEEK.stays)
        assert next(iter(KEYS.drivers)) == "driver-001"
        assert len(KEYS.meters) == 17 + 42 + 1

    def test_puts_half_of_the_stations_on_each_curve(self):
        curves = [KEYS.stations[station].curve for station in sorted(KEYS.stations)]
        assert curves == [Curve.SECP256R1, Curve.SECP256K1] * 21

    def test_puts_gateways_and_the_feeder_head_on_the_curve_of_the_chain(self):
        meters = [*KEYS.gateways.values(), KEYS.feeder_head]
        assert {meter.curve for meter in meters} == {Curve.SECP256K1}
        assert KEYS.feeder_head.kind is Kind.FEEDER_HEAD

    def test_uses_no_key_twice(self):
        keys = [meter.private_key for meter in KEYS.meters]
        keys += [wallet.private_key for wallet in (*KEYS.homes.values(), *KEYS.drivers.values())]
        assert len(set(keys)) == len(keys)
        assert len({meter.meter_id for meter in KEYS.meters}) == len(KEYS.meters)

    def test_makes_the_id_of_a_meter_from_its_serial_number(self):
        meter = KEYS.stations["CA-314"]
        assert meter.meter_id == keccak(meter.serial.encode())
        assert meter.meter_id_hex == "0x" + meter.meter_id.hex()

    def test_gives_the_same_keys_for_the_same_seed_and_others_for_another(self):
        again = build_keys(WEEK, PARAMETERS, seed=1)
        other = build_keys(WEEK, PARAMETERS, seed=2)
        assert again == KEYS
        assert not {m.private_key for m in other.meters} & {m.private_key for m in KEYS.meters}
        assert other.passwords["CA-314"] != KEYS.passwords["CA-314"]

    def test_makes_public_keys_that_belong_to_the_private_ones(self):
        for meter in KEYS.meters:
            x, y = meter.public_key[:32], meter.public_key[32:]
            if meter.curve is Curve.SECP256K1:
                point = coincurve.PrivateKey(meter.private_key).public_key.point()
                assert point == (int.from_bytes(x), int.from_bytes(y))
            else:
                numbers = ec.EllipticCurvePublicNumbers(
                    int.from_bytes(x), int.from_bytes(y), ec.SECP256R1()
                )
                numbers.public_key()  # raises unless the point is on the curve

    def test_makes_passwords_that_ocpp_can_carry(self):
        assert all(len(bytes.fromhex(password)) == 20 for password in KEYS.passwords.values())

    def test_shows_no_private_key_in_a_representation(self):
        assert KEYS.operator.private_key.hex() not in repr(KEYS)
        assert repr(KEYS.operator.private_key) not in repr(KEYS.operator)


class TestDerive:
    def test_separates_roles_of_one_name(self):
        assert len({derive(1, role, "home-01") for role in Role}) == len(Role)

    @given(st.integers(), st.text(max_size=20), st.integers(min_value=2**254, max_value=2**256))
    def test_stays_inside_the_group(self, seed, name, order):
        assert 0 < int.from_bytes(derive(seed, Role.WALLET, name, order)) < order

    def test_goes_on_until_it_is_inside_the_group(self):
        small = 2**248
        key = derive(1, Role.WALLET, "a", small)
        assert int.from_bytes(key) < small < int.from_bytes(derive(1, Role.WALLET, "a"))


@pytest.mark.parametrize("name", ["operator", "home-01", "grid"])
def test_a_wallet_has_the_address_of_its_key(name):
    wallet = wallet_of(1, name)
    assert wallet.address == address_of(wallet.private_key)
    assert wallet.address_hex == wallet.address_hex.lower()
    assert len(wallet.address_hex) == 42
