"""Enrolling meters: by the calibrator alone, and one key speaks for one meter, ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.typed_data import keccak
from devnet.field.keys import Curve, Kind, Role, meter_key
from ledger.units import Watts
from tests.contracts.support import FAR_S, NOBODY, SEED, START_S, enrol_arguments, law

ONE = b"\x01" * 32
TWO = b"\x02" * 32
NO_METER = ("0x" + "00" * 20, 0, 0, False, 0, 0, 0)


def signer_of(x: bytes, y: bytes) -> str:
    """Return what the registry keeps of a key: the last 20 bytes of its hash."""
    return "0x" + keccak(x + y)[12:].hex()


def enrol(world, fork, meter_id, *, sender=None, **changes):
    """Enrol a meter with key (1, 2), changed by ``changes``."""
    fields = {
        "kind": 0,
        "curve": 0,
        "x": ONE,
        "y": TWO,
        "power": 11_000,
        "valid_from": START_S,
        "valid_until": FAR_S,
    } | changes
    who = sender or world.owner
    return fork.send(who, world.registry, "enrol", meter_id, *fields.values())


def rotate(  # noqa: PLR0913 - the arguments of the contract
    world, fork, meter_id, x=TWO, y=ONE, *, sender=None, valid=(START_S, FAR_S)
):
    arguments = (meter_id, int(Curve.SECP256R1), x, y, *valid)
    return fork.send(sender or world.owner, world.registry, "rotate", *arguments)


def revoke(world, fork, meter_id, *, sender=None):
    return fork.send(sender or world.owner, world.registry, "revoke", meter_id)


class TestEnrolment:
    def test_is_mined_and_shown_as_it_was_given(self, world):
        meter = meter_key(SEED, Role.STATION_METER, "mined", Curve.SECP256R1, Watts(50_000))
        arguments = enrol_arguments(meter, valid_from=START_S, valid_until=FAR_S)
        result = world.send(world.owner, world.registry, "enrol", *arguments)
        assert result.event("MeterEnrolled") == {
            "meterId": meter.meter_id_hex,
            "signer": signer_of(meter.public_key[:32], meter.public_key[32:]),
            "kind": Kind.STATION,
            "curve": Curve.SECP256R1,
            "ratedPowerW": 50_000,
            "validFrom": START_S,
            "validUntil": FAR_S,
            "x": "0x" + meter.public_key[:32].hex(),
            "y": "0x" + meter.public_key[32:].hex(),
        }
        assert world.get(world.registry, "meterOf", meter.meter_id) == (
            signer_of(meter.public_key[:32], meter.public_key[32:]),
            Kind.STATION,
            Curve.SECP256R1,
            False,
            50_000,
            START_S,
            FAR_S,
        )

    def test_of_nobody_shows_zeros(self, world, fork):
        assert fork.get(world.registry, "meterOf", ONE) == NO_METER

    def test_happens_once(self, world, fork):
        assert enrol(world, fork, ONE).error is None
        again = enrol(world, fork, ONE, x=TWO, y=ONE)
        assert again.error == "MeterRegistry_AlreadyEnrolled"
        assert again.arguments == {"meterId": "0x" + ONE.hex()}

    def test_of_a_revoked_meter_is_not_repeated(self, world, fork):
        enrol(world, fork, ONE)
        revoke(world, fork, ONE)
        again = enrol(world, fork, ONE, x=TWO, y=ONE)
        assert again.error == "MeterRegistry_AlreadyEnrolled"

    @pytest.mark.parametrize(
        "changes",
        [
            {"x": bytes(32)},
            {"y": bytes(32)},
            {"power": 0},
            {"valid_until": START_S},
            {"valid_until": START_S - 1},
            {"valid_from": 0, "valid_until": 0},
        ],
        ids="-".join,
    )
    def test_of_a_meter_that_could_not_speak_is_refused(self, world, fork, changes):
        result = enrol(world, fork, ONE, **changes)
        assert result.error == "MeterRegistry_BadMeter"
        assert result.arguments == {"meterId": "0x" + ONE.hex()}
        assert fork.get(world.registry, "meterOf", ONE) == NO_METER

    def test_under_no_id_is_refused(self, world, fork):
        """The registry takes id zero for nobody, so one key could speak for two meters."""
        assert enrol(world, fork, bytes(32)).error == "MeterRegistry_BadMeter"

    @pytest.mark.parametrize(("field", "value"), [("kind", 3), ("curve", 2)])
    def test_of_a_kind_or_curve_there_is_not_is_refused(self, world, fork, field, value):
        assert enrol(world, fork, ONE, **{field: value}).error is not None
        assert fork.get(world.registry, "meterOf", ONE) == NO_METER


class TestRotation:
    def test_replaces_key_curve_and_validity_and_nothing_else(self, world, fork):
        enrol(world, fork, ONE)
        result = rotate(world, fork, ONE, valid=(START_S + 1, FAR_S - 1))
        assert result.event("MeterRotated") == {
            "meterId": "0x" + ONE.hex(),
            "signer": signer_of(TWO, ONE),
            "curve": Curve.SECP256R1,
            "validFrom": START_S + 1,
            "validUntil": FAR_S - 1,
            "x": "0x" + TWO.hex(),
            "y": "0x" + ONE.hex(),
        }
        assert fork.get(world.registry, "meterOf", ONE) == (
            signer_of(TWO, ONE),
            Kind.STATION,
            Curve.SECP256R1,
            False,
            11_000,
            START_S + 1,
            FAR_S - 1,
        )

    def test_of_a_meter_never_enrolled_is_refused(self, world, fork):
        result = rotate(world, fork, ONE)
        assert result.error == "MeterRegistry_NotEnrolled"
        assert result.arguments == {"meterId": "0x" + ONE.hex()}

    def test_of_a_revoked_meter_is_refused(self, world, fork):
        enrol(world, fork, ONE)
        revoke(world, fork, ONE)
        result = rotate(world, fork, ONE)
        assert result.error == "MeterRegistry_Revoked"
        assert result.arguments == {"meterId": "0x" + ONE.hex()}

    @pytest.mark.parametrize(
        ("x", "y", "valid"),
        [
            (bytes(32), ONE, (START_S, FAR_S)),
            (TWO, bytes(32), (START_S, FAR_S)),
            (TWO, ONE, (FAR_S, FAR_S)),
        ],
    )
    def test_to_a_key_that_could_not_speak_is_refused(self, world, fork, x, y, valid):
        enrol(world, fork, ONE)
        assert rotate(world, fork, ONE, x, y, valid=valid).error == "MeterRegistry_BadMeter"


class TestRevocation:
    def test_is_for_good(self, world, fork):
        enrol(world, fork, ONE)
        result = revoke(world, fork, ONE)
        assert result.event("MeterRevoked") == {"meterId": "0x" + ONE.hex()}
        assert fork.get(world.registry, "meterOf", ONE)[3] is True
        again = revoke(world, fork, ONE)
        assert again.error == "MeterRegistry_Revoked"

    def test_of_a_meter_never_enrolled_is_refused(self, world, fork):
        result = revoke(world, fork, ONE)
        assert result.error == "MeterRegistry_NotEnrolled"


class TestSpeaker:
    """Who may sign now: nobody before the validity, after it, or once revoked."""

    def speaks(self, world, fork):
        result = fork.send(NOBODY, world.registry, "speakerOf", ONE)
        if result.error is None:
            return True
        assert result.error == "MeterRegistry_NotValid"
        assert result.arguments == {"meterId": "0x" + ONE.hex()}
        return False

    def test_is_the_enrolled_key_with_kind_curve_and_power(self, world, fork):
        enrol(world, fork, ONE, kind=1, curve=1)
        found = fork.get(world.registry, "speakerOf", ONE)
        assert found == (signer_of(ONE, TWO), Kind.GATEWAY, Curve.SECP256R1, 11_000)

    def test_is_nobody_for_a_meter_never_enrolled(self, world, fork):
        assert not self.speaks(world, fork)

    def test_speaks_from_the_first_instant_to_before_the_last(self, world, fork):
        enrol(world, fork, ONE, valid_from=START_S + 10, valid_until=START_S + 20)
        instants = (START_S + 9, START_S + 10, START_S + 19, START_S + 20)
        spoken = [self.speaks(world, fork.move_to(at_s)) for at_s in instants]
        assert spoken == [False, True, True, False]

    def test_speaks_no_more_once_revoked(self, world, fork):
        enrol(world, fork, ONE)
        assert self.speaks(world, fork)
        revoke(world, fork, ONE)
        assert not self.speaks(world, fork)


def assign(world, fork, meter_id, *, sender=None):
    return fork.send(sender or world.owner, world.registry, "assign", meter_id, NOBODY)


class TestOperator:
    def test_is_nobody_until_assigned_and_after_revocation(self, world, fork):
        nobody = "0x" + "00" * 20
        enrol(world, fork, ONE)
        assert fork.get(world.registry, "operatorOf", ONE) == nobody
        assigned = assign(world, fork, ONE)
        expected = {"meterId": "0x" + ONE.hex(), "operator": "0x" + NOBODY.hex()}
        assert assigned.event("OperatorAssigned") == expected
        assert fork.get(world.registry, "operatorOf", ONE) == "0x" + NOBODY.hex()
        revoke(world, fork, ONE)
        assert fork.get(world.registry, "operatorOf", ONE) == nobody
        assert assign(world, fork, ONE).error == "MeterRegistry_Revoked"

    def test_of_a_meter_never_enrolled_is_refused(self, world, fork):
        assert assign(world, fork, ONE).error == "MeterRegistry_NotEnrolled"


class TestRole:
    @pytest.mark.parametrize("act", [enrol, rotate, revoke, assign])
    def test_of_a_calibrator_is_needed_for_every_change(self, world, fork, act):
        enrol(world, fork, TWO, x=b"\x03" * 32)
        meter = ONE if act is enrol else TWO
        result = act(world, fork, meter, sender=NOBODY)
        assert result.error == "AccessControlUnauthorizedAccount"
        role = keccak(b"CALIBRATOR_ROLE")
        assert result.arguments["neededRole"] == "0x" + role.hex()
        fork.ok(world.owner, world.registry, "grantRole", role, NOBODY)
        assert act(world, fork, meter, sender=NOBODY).error is None


class TestKey:
    """One key speaks for one meter, ever."""

    def assert_taken(self, result, meter_id, x=ONE, y=TWO):
        assert result.error == "MeterRegistry_KeyTaken"
        assert result.arguments == {"signer": signer_of(x, y), "meterId": "0x" + meter_id.hex()}

    def test_of_one_meter_enrols_no_other(self, world, fork):
        enrol(world, fork, ONE)
        self.assert_taken(enrol(world, fork, TWO), ONE)

    def test_of_one_meter_enrols_no_other_under_another_curve(self, world, fork):
        enrol(world, fork, ONE)
        self.assert_taken(enrol(world, fork, TWO, curve=1), ONE)

    def test_of_one_meter_is_rotated_into_no_other(self, world, fork):
        enrol(world, fork, ONE)
        enrol(world, fork, TWO, x=b"\x03" * 32)
        self.assert_taken(rotate(world, fork, TWO, ONE, TWO), ONE)

    def test_rotated_out_comes_back_for_nobody(self, world, fork):
        enrol(world, fork, ONE)
        rotate(world, fork, ONE)
        self.assert_taken(enrol(world, fork, TWO), ONE)
        self.assert_taken(rotate(world, fork, ONE, ONE, TWO), ONE)

    def test_of_a_revoked_meter_comes_back_for_nobody(self, world, fork):
        enrol(world, fork, ONE)
        revoke(world, fork, ONE)
        self.assert_taken(enrol(world, fork, TWO), ONE)

    @law(30)
    @given(data=st.data())
    def test_never_speaks_for_two_meters_whatever_the_calibrator_does(self, world, data):
        fork = world.fork()
        meters = [bytes([n]) * 32 for n in (1, 2, 3)]
        keys = [(bytes([n]) * 32, TWO) for n in (5, 6, 7, 8)]
        owners: dict[tuple[bytes, bytes], set[bytes]] = {key: set() for key in keys}
        for _ in range(data.draw(st.integers(2, 12))):
            meter, (x, y) = data.draw(st.sampled_from(meters)), data.draw(st.sampled_from(keys))
            act = data.draw(st.sampled_from(["enrol", "rotate", "rotate", "revoke"]))
            if act == "enrol":
                enrol(world, fork, meter, x=x, y=y)
            elif act == "rotate":
                rotate(world, fork, meter, x, y)
            else:
                revoke(world, fork, meter)
            for one in meters:
                shown = fork.get(world.registry, "meterOf", one)
                for key, spoken in owners.items():
                    if shown[0] == signer_of(*key):
                        spoken.add(one)
        assert all(len(spoken) <= 1 for spoken in owners.values())
