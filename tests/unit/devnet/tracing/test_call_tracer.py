from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devnet.engine.executor import address_made_by
from devnet.tracing.call_tracer import CallTracer
from devnet.tracing.calls import Call, attempt
from tests.unit.devnet.tracing.support import KEEPER, REFUSER, SENDER, TELLER, Scene, calling
from tests.unit.devnet.tracing.support import init_code as code_making

AT = b"\x01" * 19 + b"\x77"
BEHIND = b"\x01" * 19 + b"\x78"
LAST = b"\x01" * 19 + b"\x79"
ONE = (1).to_bytes(32, "big")
KINDS = pytest.mark.parametrize("kind", ["flat", "stock"])
REASON = bytes.fromhex("4e487b71") + (0x11).to_bytes(32, "big")


def traced(
    scene: Scene, kind: str = "flat", tracer: CallTracer | None = None, **fields: Any
) -> Any:
    seen = tracer or CallTracer()
    request = Call(**({"sender": SENDER, "to": AT, "gas": 500_000} | fields))
    attempt(getattr(scene, kind)(), request, seen)
    return seen.result()


def frames(frame: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for inner in frame.get("calls", ()):
        yield frame, inner
        yield from frames(inner)


def hexed(data: bytes) -> str:
    return "0x" + data.hex()


class TestFrames:
    @KINDS
    def test_of_a_transfer_is_one(self, kind: str) -> None:
        assert traced(Scene(), kind, value=5) == {
            "type": "CALL",
            "from": hexed(SENDER),
            "to": hexed(AT),
            "value": "0x5",
            "gas": "0x7a120",
            "gasUsed": "0x5208",
            "input": "0x",
        }

    @KINDS
    @pytest.mark.parametrize(
        ("opcode", "name", "value"),
        [
            ("f1", "CALL", "0x2"),
            ("f2", "CALLCODE", "0x2"),
            ("f4", "DELEGATECALL", "0x7"),
            ("fa", "STATICCALL", None),
        ],
    )
    def test_say_who_called_whom_how(
        self, kind: str, opcode: str, name: str, value: str | None
    ) -> None:
        scene = Scene({AT: calling(BEHIND, opcode=opcode, value=2), BEHIND: REFUSER})
        shown = traced(scene, kind, value=7, data=b"\1\2")
        (inner,) = shown["calls"]
        assert shown["output"] == inner["output"] == inner["input"] == "0x0102"
        assert (inner["type"], inner.get("value")) == (name, value)
        assert (inner["from"], inner["to"]) == (hexed(AT), hexed(BEHIND))
        assert inner["error"] == "execution reverted"
        assert "error" not in shown

    @KINDS
    def test_nest(self, kind: str) -> None:
        scene = Scene({AT: calling(BEHIND), BEHIND: calling(LAST), LAST: TELLER})
        shown = traced(scene, kind)
        assert [inner["to"] for _, inner in frames(shown)] == [hexed(BEHIND), hexed(LAST)]
        assert shown["output"] == hexed(bytes(32))

    @KINDS
    def test_show_precompiles(self, kind: str) -> None:
        identity = (4).to_bytes(20, "big")
        shown = traced(Scene({AT: calling(identity)}), kind, data=b"\5")
        (inner,) = shown["calls"]
        assert (inner["to"], inner["output"], inner["gasUsed"]) == (hexed(identity), "0x05", "0x12")

    @KINDS
    def test_explain_a_refusal(self, kind: str) -> None:
        shown = traced(Scene({AT: REFUSER}), kind, data=REASON)
        assert shown["error"] == "execution reverted"
        assert shown["revertReason"] == "arithmetic underflow or overflow"
        assert shown["output"] == hexed(REASON)

    @KINDS
    def test_of_a_contract_made_by_a_transaction(self, kind: str) -> None:
        shown = traced(Scene(), kind, to=b"", data=code_making(TELLER))
        assert shown["type"] == "CREATE"
        assert shown["to"] == hexed(address_made_by(SENDER, 0))
        assert shown["output"] == hexed(TELLER)

    @KINDS
    def test_of_a_contract_that_was_not_made_has_no_address(self, kind: str) -> None:
        shown = traced(Scene(), kind, to=b"", data=b"\xfe")
        assert shown["error"] == "invalid opcode: INVALID"
        assert "to" not in shown
        assert shown["gasUsed"] == shown["gas"]

    @KINDS
    def test_of_a_contract_made_by_a_contract(self, kind: str) -> None:
        copying = bytes.fromhex("365f5f37365f5ff000")
        shown = traced(Scene({AT: copying}), kind, data=code_making(TELLER))
        (inner,) = shown["calls"]
        assert inner["type"] == "CREATE"
        assert inner["input"] == hexed(code_making(TELLER))
        assert inner["to"] == hexed(address_made_by(AT, 1))
        assert inner["output"] == hexed(TELLER)
        # Keeping the code is part of what it used.
        assert int(inner["gasUsed"], 16) > 200 * len(TELLER)

    @KINDS
    def test_of_a_contract_that_deletes_itself(self, kind: str) -> None:
        deleting = b"\x73" + LAST + b"\xff"
        scene = Scene({AT: deleting}, balances={SENDER: 9, AT: 5})
        (inner,) = traced(scene, kind)["calls"]
        assert inner == {
            "type": "SELFDESTRUCT",
            "from": hexed(AT),
            "to": hexed(LAST),
            "value": "0x5",
            "gas": "0x0",
            "gasUsed": "0x0",
            "input": "0x",
        }

    @KINDS
    def test_of_a_deletion_that_failed_is_not_there(self, kind: str) -> None:
        scene = Scene({AT: calling(BEHIND, opcode="fa"), BEHIND: b"\x73" + LAST + b"\xff"})
        (inner,) = traced(scene, kind)["calls"]
        assert inner["error"] == "write protection"
        assert "calls" not in inner

    def test_are_only_the_top_if_so_wanted(self) -> None:
        scene = Scene({AT: calling(BEHIND), BEHIND: b"\x73" + LAST + b"\xff"})
        shown = traced(scene, tracer=CallTracer(only_top_call=True))
        assert "calls" not in shown


class TestLogs:
    @KINDS
    def test_stand_at_the_message_that_emitted_them(self, kind: str) -> None:
        scene = Scene({AT: calling(BEHIND), BEHIND: KEEPER})
        shown = traced(scene, kind, CallTracer(with_log=True), data=ONE)
        (inner,) = shown["calls"]
        assert inner["logs"] == [
            {
                "address": hexed(BEHIND),
                "topics": [hexed((7).to_bytes(32, "big"))],
                "data": hexed(ONE),
                "position": "0x0",
                "index": "0x0",
            }
        ]
        assert "logs" not in shown

    def test_of_what_failed_are_not_there(self) -> None:
        failing = KEEPER[:-1] + b"\xfe"
        scene = Scene({AT: calling(BEHIND), BEHIND: calling(LAST)[:-2] + b"\x5f\xfd", LAST: KEEPER})
        shown = traced(scene, tracer=CallTracer(with_log=True), data=ONE)
        assert not any("logs" in inner for _, inner in frames(shown))
        shown = traced(Scene({AT: failing}), tracer=CallTracer(with_log=True), data=ONE)
        assert "logs" not in shown

    def test_are_not_there_if_not_wanted(self) -> None:
        assert "logs" not in traced(Scene({AT: KEEPER}), data=ONE)

    def test_of_hidden_messages_are_hidden(self) -> None:
        scene = Scene({AT: calling(BEHIND), BEHIND: KEEPER})
        tracer = CallTracer(with_log=True, only_top_call=True)
        assert "logs" not in traced(scene, tracer=tracer, data=ONE)


class TestGas:
    @settings(deadline=None, max_examples=40)
    @given(
        opcodes=st.lists(st.sampled_from(("f1", "f2", "f4", "fa")), min_size=1, max_size=6),
        kind=st.sampled_from(("flat", "stock")),
        end=st.sampled_from((TELLER, KEEPER, REFUSER, b"\xfe")),
    )
    def test_of_an_inner_message_is_part_of_its_parents(
        self, opcodes: list[str], kind: str, end: bytes
    ) -> None:
        places = [AT, *(bytes((2,) * 19 + (at,)) for at in range(len(opcodes)))]
        codes = {
            place: calling(then, opcode=opcode)
            for place, then, opcode in zip(places, places[1:], opcodes, strict=False)
        }
        scene = Scene(codes | {places[-1]: end})
        shown = traced(scene, kind, data=ONE)
        nested = list(frames(shown))
        assert len(nested) == len(opcodes)
        for parent, inner in nested:
            assert int(inner["gasUsed"], 16) <= int(parent["gasUsed"], 16)
            assert int(inner["gasUsed"], 16) <= int(inner["gas"], 16)
