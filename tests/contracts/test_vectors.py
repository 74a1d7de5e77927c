"""The vectors of tests/vectors, run here by Python; contracts/test/vectors runs the same files."""

import json
import runpy
from pathlib import Path

import pytest

from contracts.typed_data import hash_struct
from ledger.units import (
    BasisPoints,
    Micros,
    MicrosPerKilowattHour,
    UnixSeconds,
    WattHours,
    cost_floor,
)
from settlement.charging.terms import SessionTerms, session_id
from settlement.pricing.billing import bill
from settlement.pricing.tariffs import Tariff
from settlement.trading.tree import (
    BadProofError,
    Leaf,
    check_proof,
    merkle_proof,
    merkle_root,
    trade_leaf,
)
from tests.contracts.reader import Found, Refused, read_in_python

FOLDER = Path(__file__).parents[1] / "vectors"
FORGE = Path(__file__).parents[2] / "contracts" / "test" / "vectors"


def vectors(stem, kind):
    return json.loads((FOLDER / f"{stem}.json").read_text())[kind]


def raw(text):
    return bytes.fromhex(text[2:])


class TestFiles:
    def test_are_what_their_maker_makes(self):
        files = runpy.run_path(str(FOLDER / "make.py"))["FILES"]
        assert {path.stem for path in FOLDER.glob("*.json")} == set(files)
        for stem, content in files.items():
            assert json.loads((FOLDER / f"{stem}.json").read_text()) == content()

    def test_are_each_run_by_solidity(self):
        code = "".join(path.read_text() for path in FORGE.glob("*.t.sol"))
        assert {p.stem for p in FOLDER.glob("*.json") if f'"{p.stem}"' not in code} == set()


class TestBilling:
    @pytest.mark.parametrize("case", vectors("billing", "charges"))
    def test_charges_and_refunds_the_same(self, case):
        price, flat = int(case["priceMicrosPerKwh"]), int(case["flatMicros"])
        tariff = Tariff("t", "EUR", MicrosPerKilowattHour(price), Micros(flat), BasisPoints(2_000))
        found = bill(WattHours(int(case["energyWh"])), tariff, Micros(int(case["depositMicros"])))
        assert str(found.charge_micros) == case["chargeMicros"]
        assert str(found.refund_micros) == case["refundMicros"]

    @pytest.mark.parametrize("case", vectors("billing", "costs"))
    def test_rounds_the_magnitude_down(self, case):
        price = MicrosPerKilowattHour(int(case["priceMicrosPerKwh"]))
        assert str(cost_floor(WattHours(int(case["energyWh"])), price)) == case["costMicros"]


class TestLeaves:
    @pytest.mark.parametrize("case", vectors("leaves", "accounts"))
    def test_of_accounts_hash_the_same(self, case):
        whole = {
            "net_micros": int(case["netMicros"]),
            "wh_in": int(case["whIn"]),
            "wh_out": int(case["whOut"]),
        }
        words = {
            "order_hash": raw(case["orderHash"]),
            "readings_hash": raw(case["readingsHash"]),
            "trades_root": raw(case["tradesRoot"]),
            "salt": raw(case["salt"]),
        }
        leaf = Leaf(int(case["run"]), int(case["interval"]), case["account"], **whole, **words)
        assert leaf.hash() == raw(case["leaf"])

    @pytest.mark.parametrize("case", vectors("leaves", "trades"))
    def test_of_trades_hash_the_same(self, case):
        numbers = (int(case[k]) for k in ("energyWh", "priceMicrosPerKwh", "amountMicros"))
        found = trade_leaf(case["seller"], case["buyer"], *numbers, raw(case["salt"]))
        assert found == raw(case["leaf"])


class TestTrees:
    @pytest.mark.parametrize("case", vectors("trees", "trees"))
    def test_have_the_same_roots_and_proofs(self, case):
        leaves, root = [raw(leaf) for leaf in case["leaves"]], raw(case["root"])
        assert merkle_root(leaves) == root
        for index, (leaf, proof) in enumerate(zip(leaves, case["proofs"], strict=True)):
            nodes = [raw(node) for node in proof]
            assert list(merkle_proof(leaves, index)) == nodes
            check_proof(root, leaf, nodes)
            with pytest.raises(BadProofError):
                check_proof(root, bytes([leaf[0] ^ 1, *leaf[1:]]), nodes)


class TestTypedData:
    @pytest.mark.parametrize("case", vectors("typed_data", "sessions"))
    def test_makes_the_same_session_id(self, case):
        terms = SessionTerms(
            driver=case["driver"],
            purse=int(case["purse"]),
            operator=case["operator"],
            meter_id=case["meterId"],
            id_tag=case["idTag"],
            price_micros_per_kwh=MicrosPerKilowattHour(int(case["priceMicrosPerKwh"])),
            flat_micros=Micros(int(case["flatMicros"])),
            deposit_micros=Micros(int(case["depositMicros"])),
            tariff_fingerprint=case["tariffFingerprint"],
            deadline_s=UnixSeconds(int(case["deadline"])),
            salt=case["salt"],
        )
        assert session_id(terms) == raw(case["sessionId"])

    @pytest.mark.parametrize("case", vectors("typed_data", "memberships"))
    def test_makes_the_same_nonce_of_a_membership(self, case):
        values = {
            "member": case["member"],
            "capMicros": int(case["capMicros"]),
            "amountMicros": int(case["amountMicros"]),
            "salt": case["salt"],
        }
        assert hash_struct("Membership", values) == raw(case["nonce"])


class TestRecords:
    def test_are_read_the_same(self):
        read = vectors("records", "read")
        columns = zip(read["texts"], read["energiesWh"], read["idTagHashes"], strict=True)
        for text, energy_wh, tag in columns:
            assert read_in_python(raw(text)) == Found(1, tag[2:], int(energy_wh)), raw(text)

    def test_are_refused_the_same(self):
        for text in vectors("records", "refused")["texts"]:
            assert isinstance(read_in_python(raw(text)), Refused), raw(text)
