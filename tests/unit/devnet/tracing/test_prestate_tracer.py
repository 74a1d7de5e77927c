from typing import Any

import pytest
from eth_account import Account

from devnet.engine.executor import address_made_by
from devnet.tracing.calls import Call, attempt
from devnet.tracing.prestate_tracer import PrestateTracer
from tests.unit.devnet.tracing.support import (
    KEEPER,
    MINER,
    POOR,
    SENDER,
    TELLER,
    Scene,
    calling,
    init_code,
)
from tests.unit.devnet.tracing.test_calls import authorization

AT = b"\x01" * 19 + b"\x77"
BEHIND = b"\x01" * 19 + b"\x78"
ONE = (1).to_bytes(32, "big")
KINDS = pytest.mark.parametrize("kind", ["flat", "stock"])


def hexed(data: bytes) -> str:
    return "0x" + data.hex()


def word(value: int) -> str:
    return f"0x{value:064x}"


def traced(scene: Scene, kind: str, *, diff: bool = False, **fields: Any) -> Any:
    tracer = PrestateTracer(diff_mode=diff)
    request = Call(**({"sender": SENDER, "to": AT, "gas": 500_000} | fields))
    attempt(getattr(scene, kind)(), request, tracer)
    return tracer.result()


class TestPrestate:
    @KINDS
    def test_is_what_was_there_before(self, kind: str) -> None:
        code = calling(BEHIND, value=1)
        balances = {SENDER: 1_000_000, AT: 10}
        scene = Scene({AT: code, BEHIND: KEEPER}, balances, {BEHIND: {0: 5}})
        assert traced(scene, kind, value=3, data=ONE) == {
            hexed(SENDER): {"balance": hex(1_000_000)},
            hexed(AT): {"balance": "0xa", "nonce": 1, "code": hexed(code)},
            hexed(MINER): {"balance": "0x0"},
            hexed(BEHIND): {
                "balance": "0x0",
                "nonce": 1,
                "code": hexed(KEEPER),
                "storage": {word(0): word(5)},
            },
        }

    @KINDS
    def test_leaves_out_a_contract_that_is_made(self, kind: str) -> None:
        shown = traced(Scene(), kind, to=b"", data=init_code(TELLER))
        assert hexed(address_made_by(SENDER, 0)) not in shown

    @KINDS
    def test_shows_who_signed_delegations(self, kind: str) -> None:
        authority, signed = authorization(AT)
        shown = traced(Scene({AT: TELLER}), kind, to=POOR, authorization_list=(signed,))
        assert shown[hexed(authority)] == {"balance": "0x0"}

    def test_passes_over_a_delegation_that_nobody_signed(self) -> None:
        _, signed = authorization(AT)
        forged = type(signed)(signed.chain_id, AT, 0, 0, 0, signed.s)
        before = {hexed(SENDER), hexed(POOR), hexed(MINER)}
        assert traced(Scene(), "flat", to=POOR, authorization_list=(forged,)).keys() == before


class TestDifference:
    @KINDS
    def test_shows_what_changed_and_what_was_before(self, kind: str) -> None:
        scene = Scene({AT: KEEPER}, {SENDER: 10**9, BEHIND: 4}, {AT: {0: 5}})
        shown = traced(scene, kind, diff=True, data=ONE, value=2)
        assert shown == {
            "pre": {
                hexed(SENDER): {"balance": hex(10**9)},
                hexed(AT): {
                    "balance": "0x0",
                    "nonce": 1,
                    "code": hexed(KEEPER),
                    "storage": {word(0): word(5)},
                },
            },
            "post": {
                hexed(SENDER): {"balance": hex(10**9 - 2), "nonce": 1},
                hexed(AT): {"balance": "0x2", "storage": {word(0): word(1)}},
            },
        }

    @KINDS
    def test_shows_a_contract_that_was_made(self, kind: str) -> None:
        made = hexed(address_made_by(SENDER, 0))
        shown = traced(Scene(), kind, diff=True, to=b"", data=init_code(TELLER))
        assert made not in shown["pre"]
        assert shown["post"][made] == {"nonce": 1, "code": hexed(TELLER)}

    @KINDS
    def test_leaves_out_what_was_only_read(self, kind: str) -> None:
        scene = Scene({AT: TELLER}, storage={AT: {0: 5}})
        shown = traced(scene, kind, diff=True)
        assert shown["post"].keys() == shown["pre"].keys() == {hexed(SENDER)}

    @KINDS
    def test_pays_the_miner(self, kind: str) -> None:
        shown = traced(Scene(), kind, diff=True, gas_price=9)
        assert shown["pre"][hexed(MINER)] == {"balance": "0x0"}
        assert shown["post"][hexed(MINER)] == {"balance": hex(21_000 * 2)}


def test_the_authority_is_who_signed() -> None:
    authority, _ = authorization(AT)
    assert hexed(authority) == Account.from_key(b"\x22" * 32).address.lower()
