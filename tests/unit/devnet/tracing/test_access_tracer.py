import pytest

from devnet.tracing.calls import Call, access_list, attempt
from tests.unit.devnet.tracing.support import (
    KEEPER,
    MINER,
    POOR,
    REFUSER,
    SENDER,
    TELLER,
    Scene,
    calling,
    error_string,
)

AT = b"\x01" * 19 + b"\x77"
BEHIND = b"\x01" * 19 + b"\x78"
ONE = (1).to_bytes(32, "big")


class TestAccessList:
    def test_of_a_transfer_is_empty(self) -> None:
        request = Call(sender=SENDER, to=POOR, value=1)
        assert access_list(Scene().flat, request) == ((), 21_000, None)

    @pytest.mark.parametrize("kind", ["flat", "stock"])
    def test_names_slots_of_the_recipient_and_others(self, kind: str) -> None:
        code = bytes.fromhex("6009545f54") + calling(BEHIND)
        fresh = getattr(Scene({AT: code, BEHIND: TELLER}), kind)
        found, _, error = access_list(fresh, Call(sender=SENDER, to=AT))
        assert error is None
        assert dict(found) == {AT: (0, 9), BEHIND: (0,)}

    def test_leaves_out_who_is_warm_anyway(self) -> None:
        warm = (SENDER, AT, MINER, (2).to_bytes(20, "big"), (0x100).to_bytes(20, "big"))
        code = b"".join(b"\x73" + one + b"\x31\x50" for one in (*warm, POOR))
        found, _, _ = access_list(Scene({AT: code}).flat, Call(sender=SENDER, to=AT))
        assert found == ((POOR, ()),)

    @pytest.mark.parametrize("kind", ["flat", "stock"])
    def test_applied_makes_the_call_use_the_gas_reported(self, kind: str) -> None:
        fresh = getattr(Scene({AT: calling(BEHIND), BEHIND: KEEPER}), kind)
        request = Call(sender=SENDER, to=AT, data=ONE)
        found, gas_used, error = access_list(fresh, request)
        assert error is None
        outcome = attempt(fresh(), Call(sender=SENDER, to=AT, data=ONE, access_list=found))
        assert outcome.error is None
        assert outcome.gas_used == gas_used

    def test_keeps_what_was_named_before(self) -> None:
        known = ((POOR, (5, 3)), (BEHIND, ()))
        found, _, _ = access_list(Scene().flat, Call(sender=SENDER, to=AT, access_list=known))
        assert dict(found) == {POOR: (3, 5), BEHIND: ()}

    def test_comes_with_the_failure(self) -> None:
        scene = Scene({AT: bytes.fromhex("5f5450") + REFUSER})
        request = Call(sender=SENDER, to=AT, data=error_string("no"))
        found, _, error = access_list(scene.flat, request)
        assert found == ((AT, (0,)),)
        assert error == "execution reverted: no"

    def test_goes_on_until_nothing_new_comes(self) -> None:
        # Reads slot 1 if slot 0 is warm: if reading it costs less than 1,000 gas.
        code = bytes.fromhex("5a5f54505a90036103e81160105700005b60015450")
        found, _, _ = access_list(Scene({AT: code}).flat, Call(sender=SENDER, to=AT))
        assert found == ((AT, (0, 1)),)
