from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devnet.tracing.calls import Call, Outcome, attempt
from devnet.tracing.struct_logger import StructLogger, StructOptions
from tests.unit.devnet.tracing.support import FORKS, REFUSER, SENDER, Scene, calling

AT = b"\x01" * 19 + b"\x77"
BEHIND = b"\x01" * 19 + b"\x78"
GAS = 200_000
ALL = StructOptions(enable_memory=True, enable_return_data=True)


def logged(
    code: bytes | str, options: StructOptions = ALL, *, kind: str = "flat", **rest: Any
) -> tuple[dict[str, Any], Outcome]:
    main = bytes.fromhex(code) if isinstance(code, str) else code
    scene = Scene({AT: main} | rest.pop("codes", {}), storage=rest.pop("storage", {}))
    logger = StructLogger(options)
    request = Call(sender=SENDER, to=AT, **({"gas": GAS} | rest))
    outcome = attempt(getattr(scene, kind)(), request, logger)
    return logger.result(), outcome


def steps(result: dict[str, Any], depth: int = 1) -> list[dict[str, Any]]:
    return [one for one in result["structLogs"] if one["depth"] == depth]


class TestEntries:
    @pytest.mark.parametrize("kind", ["flat", "stock"])
    def test_have_geths_form(self, kind: str) -> None:
        result, _ = logged("602a5f5260205ff3", kind=kind)
        word = "0x" + (42).to_bytes(32, "big").hex()
        entry = {"depth": 1, "stack": []}
        assert result == {
            "gas": 21_016,
            "failed": False,
            "returnValue": word,
            "structLogs": [
                entry | {"pc": 0, "op": "PUSH1", "gas": 179_000, "gasCost": 3},
                entry | {"pc": 2, "op": "PUSH0", "gas": 178_997, "gasCost": 2, "stack": ["0x2a"]},
                entry
                | {"pc": 3, "op": "MSTORE", "gas": 178_995, "gasCost": 6, "stack": ["0x2a", "0x0"]},
                entry | {"pc": 4, "op": "PUSH1", "gas": 178_989, "gasCost": 3, "memory": [word]},
                entry
                | {"pc": 6, "op": "PUSH0", "gas": 178_986, "gasCost": 2}
                | {"stack": ["0x20"], "memory": [word]},
                entry
                | {"pc": 7, "op": "RETURN", "gas": 178_984, "gasCost": 0}
                | {"stack": ["0x20", "0x0"], "memory": [word]},
            ],
        }

    @pytest.mark.parametrize("kind", ["flat", "stock"])
    def test_show_the_slots_used_so_far(self, kind: str) -> None:
        result, _ = logged("5f54506005600955", kind=kind, storage={AT: {0: 7}})
        shown = [one["storage"] for one in result["structLogs"] if "storage" in one]
        first = {"0x" + "00" * 32: "0x" + "00" * 31 + "07"}
        assert shown == [first, first | {"0x" + "00" * 31 + "09": "0x" + "00" * 31 + "05"}]

    @pytest.mark.parametrize("kind", ["flat", "stock"])
    def test_show_refunds_from_the_write_on(self, kind: str) -> None:
        result, _ = logged("5f5f555b", kind=kind, storage={AT: {0: 7}})
        shown = [(one["op"], one.get("refund")) for one in result["structLogs"]]
        assert shown[1:] == [
            ("PUSH0", None),
            ("SSTORE", 4_800),
            ("JUMPDEST", 4_800),
            ("STOP", 4_800),
        ]

    @pytest.mark.parametrize("kind", ["flat", "stock"])
    def test_forget_refunds_of_what_failed(self, kind: str) -> None:
        clearing = bytes.fromhex("5f5f555f5ffd")
        code = calling(BEHIND)
        storage = {BEHIND: {0: 7}}
        result, _ = logged(code, kind=kind, codes={BEHIND: clearing}, storage=storage)
        assert steps(result, 2)[-1]["refund"] == 4_800
        assert "refund" not in steps(result)[-1]

    def test_show_what_a_call_returned_if_asked(self) -> None:
        data = b"\1\2\3"
        result, _ = logged(calling(BEHIND), codes={BEHIND: REFUSER}, data=data)
        assert result["structLogs"][-1]["returnData"] == "0x010203"
        result, _ = logged(calling(BEHIND), StructOptions(), codes={BEHIND: REFUSER}, data=data)
        assert all("returnData" not in one for one in result["structLogs"])

    def test_leave_out_what_is_not_wanted(self) -> None:
        options = StructOptions.of({"disableStack": True, "disableStorage": True})
        result, _ = logged("602a5f5260015f55", options)
        for one in result["structLogs"]:
            assert one.keys() == {"pc", "op", "gas", "gasCost", "depth"}

    def test_are_no_more_than_the_limit(self) -> None:
        result, _ = logged("5f5f5f5f00", StructOptions.of({"limit": 2, "enableMemory": False}))
        assert [one["pc"] for one in result["structLogs"]] == [0, 1]
        assert result["gas"] == 21_008

    @pytest.mark.parametrize(
        ("code", "at", "op"),
        [
            ("5f", 1, "STOP"),
            ("5f00", 1, "STOP"),
            ("6000", 2, "STOP"),
            ("6100", 3, "STOP"),
            ("0c", 0, "opcode 0xc not defined"),
            ("fe", 0, "INVALID"),
        ],
    )
    def test_end_where_geths_do(self, code: str, at: int, op: str) -> None:
        result, _ = logged(code)
        last = result["structLogs"][-1]
        assert (last["pc"], last["op"]) == (at, op)
        assert last["gasCost"] == 0

    def test_are_none_where_there_is_no_code(self) -> None:
        result, _ = logged("")
        assert result == {"gas": 21_000, "failed": False, "returnValue": "0x", "structLogs": []}


class TestFailures:
    @pytest.mark.parametrize("kind", ["flat", "stock"])
    @pytest.mark.parametrize(
        ("code", "gas", "cost", "error"),
        [
            ("50", GAS, 2, "stack underflow"),
            ("5f" * 1_025, GAS, 2, "stack limit reached 1024 (1023)"),
            ("60015f55", 23_505, 20_000, "out of gas"),
            ("6001610400" + "52", 21_050, 104, "out of gas"),
            ("5b60ff58" + "02" * 2, 21_010, 5, "out of gas"),
        ],
    )
    def test_show_at_the_step_with_what_it_would_have_cost(
        self, kind: str, code: str, gas: int, cost: int, error: str
    ) -> None:
        result, _ = logged(code, kind=kind, gas=gas)
        last = result["structLogs"][-1]
        assert last["error"] == error
        assert last["gasCost"] == cost
        assert result["failed"]
        assert result["returnValue"] == "0x"
        assert result["gas"] == gas

    def test_of_the_contract_come_with_what_it_said(self) -> None:
        result, _ = logged(REFUSER, data=b"\1\2")
        assert (result["failed"], result["returnValue"]) == (True, "0x0102")
        assert "error" not in result["structLogs"][-1]


class TestGas:
    @pytest.mark.parametrize("kind", ["flat", "stock"])
    @pytest.mark.parametrize("value", [0, 3])
    def test_of_a_call_counts_what_it_passes_on(self, kind: str, value: int) -> None:
        code = calling(BEHIND, value=value)
        scene = Scene({AT: code, BEHIND: b"\0"}, balances={SENDER: 9, AT: 9})
        logger = StructLogger(ALL)
        attempt(getattr(scene, kind)(), Call(sender=SENDER, to=AT, gas=GAS), logger)
        result = logger.result()
        call = next(one for one in result["structLogs"] if one["op"] == "CALL")
        inner = steps(result, 2)[0]
        extra = 2_600 + (9_000 if value else 0)
        stipend = 2_300 if value else 0
        assert call["gasCost"] == extra + inner["gas"] - stipend

    @pytest.mark.parametrize("kind", ["flat", "stock"])
    def test_of_a_call_that_cannot_begin_counts_it_too(self, kind: str) -> None:
        result, _ = logged(calling(BEHIND, value=3), kind=kind, codes={BEHIND: b"\0"})
        at = next(i for i, one in enumerate(result["structLogs"]) if one["op"] == "CALL")
        call, then = result["structLogs"][at : at + 2]
        passed = then["gas"] - (call["gas"] - call["gasCost"])
        left = call["gas"] - 2_600 - 9_000
        assert passed == left - left // 64 + 2_300

    @pytest.mark.parametrize("kind", ["flat", "stock"])
    @pytest.mark.parametrize("again", [False, True])
    def test_of_a_creation_does_not_count_what_it_passes_on(self, kind: str, again: bool) -> None:  # noqa: FBT001
        once = "5f5f5f5ff550"
        result, _ = logged(once * (2 if again else 1), kind=kind, gas=3_000_000)
        costs = [one["gasCost"] for one in result["structLogs"] if one["op"] == "CREATE2"]
        assert costs == [32_000] * (2 if again else 1)

    @pytest.mark.parametrize("fork", FORKS, ids=lambda fork: fork.__name__)
    def test_of_a_creation_is_right_in_every_fork(self, fork: type) -> None:
        scene, logger = Scene({AT: bytes.fromhex("600060006000f050")}), StructLogger(ALL)
        attempt(scene.stock(fork), Call(sender=SENDER, to=AT, gas=GAS), logger)
        costs = [one["gasCost"] for one in logger.result()["structLogs"] if one["op"] == "CREATE"]
        assert costs == [32_000]

    @settings(deadline=None, max_examples=60)
    @given(
        parts=st.lists(
            st.sampled_from(
                (
                    "5f50",  # nothing
                    "60035f52",  # memory near
                    "6003610400" + "52",  # memory far
                    "60015f55",  # store
                    "5f6001" + "55",  # store zero
                    "5f5450",  # load
                    "60205f2050",  # hash
                    "60205fa0",  # log
                    "3331" + "50",  # balance
                    "5b",
                    "5f5f5f5f5f73" + BEHIND.hex() + "61ffff" + "f150",  # call
                    "5f5f5f5f73" + BEHIND.hex() + "5a" + "f450",  # delegate call
                    "5f5f5ff050",  # create
                )
            ),
            max_size=8,
        ),
        kind=st.sampled_from(("flat", "stock")),
    )
    def test_adds_up_to_the_receipt(self, parts: list[str], kind: str) -> None:
        inner = bytes.fromhex("60055f5500")
        result, outcome = logged(
            "".join(parts) + "00", kind=kind, codes={BEHIND: inner}, gas=3_000_000
        )
        assert outcome.error is None
        outer = steps(result)
        executed = outer[0]["gas"] - outer[-1]["gas"]
        assert executed == outcome.gas_limit_used - 21_000
        assert result["gas"] == outcome.gas_used
        logs = result["structLogs"]
        for one, then in pairwise(logs):
            if one["depth"] == then["depth"] and not one["op"].startswith("C"):
                assert one["gas"] - one["gasCost"] == then["gas"]

    @pytest.mark.parametrize("kind", ["flat", "stock"])
    def test_is_the_same_with_and_without_a_tracer(self, kind: str) -> None:
        scene = Scene({AT: calling(BEHIND), BEHIND: bytes.fromhex("60055f5500")})
        request = Call(sender=SENDER, to=AT, gas=GAS)
        traced = attempt(getattr(scene, kind)(), request, StructLogger(ALL))
        assert traced == attempt(getattr(scene, kind)(), request)
