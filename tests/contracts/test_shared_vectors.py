"""Python and Solidity agree: type hashes, session ids, memberships, bills, and the error table."""

import re
from pathlib import Path

import pytest
from eth_abi.abi import encode
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.artifacts import load_artifact
from contracts.typed_data import keccak, type_hash
from devnet.field.drivers import Terms
from ledger.units import BasisPoints, Micros, MicrosPerKilowattHour, WattHours
from settlement.chain.lanes import CENT
from settlement.charging.terms import SessionTerms, contract_tuple, session_id
from settlement.pricing.billing import bill
from settlement.pricing.tariffs import Tariff
from settlement.trading.tree import ESTIMATED, Leaf, readings_hash, trade_leaf
from tests.contracts.ocmf_cases import payload_of
from tests.contracts.support import NOBODY, START_S, law, membership

unsigned64 = st.integers(0, 2**64 - 1)
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
words32 = st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex())
random_terms = st.builds(
    SessionTerms,
    driver=addresses,
    purse=st.integers(0, 2**32 - 1),
    operator=addresses,
    meter_id=words32,
    id_tag=st.text(max_size=40),
    price_micros_per_kwh=unsigned64,
    flat_micros=unsigned64,
    deposit_micros=unsigned64,
    tariff_fingerprint=words32,
    deadline_s=unsigned64,
    salt=words32,
)


class TestTypeHashes:
    def test_of_the_contracts_are_those_of_the_tables(self, world, fork):
        for constant, name in (
            ("TERMS_TYPEHASH", "SessionTerms"),
            ("TOP_UP_TYPEHASH", "TopUp"),
            ("TOTAL_TYPEHASH", "SessionTotal"),
            ("READING_TYPEHASH", "SessionReading"),
        ):
            assert fork.get(world.vault, constant) == "0x" + type_hash(name).hex()
        joining = "0x" + type_hash("Membership").hex()
        assert fork.get(world.trade, "MEMBERSHIP_TYPEHASH") == joining


class TestSessionId:
    @law(100)
    @given(terms=random_terms)
    def test_is_the_same_in_the_contract_the_service_and_the_field(self, world, terms):
        fork = world.fork()
        found = fork.get(world.vault, "hashTerms", contract_tuple(terms))
        assert found == "0x" + session_id(terms).hex()
        field = Terms(*contract_tuple(terms))
        assert field.session_id == session_id(terms)


class TestMembership:
    @law(30)
    @given(
        cents=st.integers(0, 2**19 - 1),
        amount=st.integers(0, 2**44 - 1),
        salt=st.binary(min_size=32, max_size=32),
    )
    def test_hashed_by_the_service_is_the_nonce_that_the_contract_asks_for(
        self, world, cents, amount, salt
    ):
        fork, driver, cap = world.fork(), world.drivers[2], cents * CENT
        nonce = membership(driver, cap, amount, salt)
        signature = world.authorization(driver, world.trade.address, amount, nonce)
        arguments = (driver.address, cap, amount, salt, *signature)
        joined = fork.ok(NOBODY, world.trade, "join", *arguments)
        assert joined.event("AuthorizationUsed")["nonce"] == "0x" + nonce.hex()


def bill_on_chain(world, energy_wh, price, flat, deposit):
    """Return charge and refund of a session that the vault opened and closed."""
    fork = world.fork(START_S + 60)
    driver = world.drivers[0]
    fork.ok(world.owner, world.token, "mint", driver.address, deposit)
    terms = world.terms(
        "bill",
        meter_id=world.wide.meter_id_hex,
        price_micros_per_kwh=price,
        flat_micros=flat,
        deposit_micros=deposit,
    )
    assert fork.open(terms).error is None
    before = fork.token(driver)
    fork.move_to(START_S + 80_000)
    whole, rest = divmod(energy_wh, 1_000)
    payload = payload_of(tag=terms.id_tag, begin="0.000", end=f"{whole}.{rest:03d}")
    closed = fork.close(terms, payload).event("SessionClosed")
    assert closed["energyWh"] == energy_wh
    assert fork.token(driver) - before == closed["refundMicros"]
    assert fork.get(world.vault, "stationEarned", world.wide.meter_id) == closed["chargeMicros"]
    return closed["chargeMicros"], closed["refundMicros"]


def bill_in_python(energy_wh, price, flat, deposit):
    """Return charge and refund as the service bills them."""
    tariff = Tariff("t", "EUR", MicrosPerKilowattHour(price), Micros(flat), BasisPoints(2_000))
    found = bill(WattHours(energy_wh), tariff, Micros(deposit))
    assert found.charge_micros + found.refund_micros == deposit
    return found.charge_micros, found.refund_micros


MOST_WH = 2**24 * 20
MOST_DEPOSIT = 2**40 - 1
MOST_PRICE = 2**63 - 1


class TestBill:
    @pytest.mark.parametrize(
        ("energy_wh", "price", "flat", "deposit", "charge"),
        [
            (0, 391_700, 500_000, 20_000_000, 0),
            (1, 391_700, 0, 20_000_000, 391),
            (1, 999, 0, 20_000_000, 0),
            (1, 1_000, 0, 20_000_000, 1),
            (999, 1, 0, 20_000_000, 0),
            (1_000, 1, 0, 20_000_000, 1),
            (1, 0, 500_000, 20_000_000, 500_000),
            (5_500, 391_700, 500_000, 20_000_000, 2_654_350),
            (5_500, 391_700, 500_000, 2_654_350, 2_654_350),
            (5_500, 391_700, 500_000, 2_654_349, 2_654_349),
            (5_500, 391_700, 500_000, 1, 1),
            (MOST_WH, MOST_PRICE, MOST_PRICE, MOST_DEPOSIT, MOST_DEPOSIT),
        ],
    )
    def test_is_the_integer_written_here_on_both_sides(
        self, world, energy_wh, price, flat, deposit, charge
    ):
        assert bill_in_python(energy_wh, price, flat, deposit) == (charge, deposit - charge)
        assert bill_on_chain(world, energy_wh, price, flat, deposit) == (charge, deposit - charge)

    @law(60)
    @given(
        energy_wh=st.one_of(st.integers(0, 100_000), st.integers(0, MOST_WH)),
        price=st.one_of(st.integers(0, 2_000_000), st.integers(0, MOST_PRICE)),
        flat=st.one_of(st.integers(0, 2_000_000), st.integers(0, MOST_PRICE)),
        deposit=st.one_of(st.integers(1, 100_000_000), st.integers(1, MOST_DEPOSIT)),
    )
    @example(energy_wh=MOST_WH, price=MOST_PRICE, flat=0, deposit=MOST_DEPOSIT)
    def test_is_the_same_in_the_contract_and_in_the_service(
        self, world, energy_wh, price, flat, deposit
    ):
        expected = bill_in_python(energy_wh, price, flat, deposit)
        assert bill_on_chain(world, energy_wh, price, flat, deposit) == expected


class TestLeaf:
    """What decision 0003 writes as ``abi.encode``, encoded here by eth-abi."""

    @law(100)
    @given(data=st.data())
    def test_of_an_account_is_the_abi_encoding_hashed_twice(self, data):
        whole = data.draw(st.tuples(unsigned64, unsigned64))
        account = data.draw(addresses)
        net = data.draw(st.integers(-(2**63), 2**63 - 1))
        energies = data.draw(st.tuples(unsigned64, unsigned64))
        words = [bytes.fromhex(data.draw(words32)[2:]) for _ in range(4)]
        encoded = encode(
            ["uint64", "uint64", "address", "int64", "uint64", "uint64", *["bytes32"] * 4],
            [*whole, account, net, *energies, *words],
        )
        leaf = Leaf(*whole, account, net, *energies, *words)
        assert leaf.hash() == keccak(keccak(encoded))

    @law(100)
    @given(
        seller=addresses,
        buyer=addresses,
        energy_wh=unsigned64,
        price=st.integers(-(2**31), 2**31 - 1),
        micros=st.integers(-(2**63), 2**63 - 1),
        salt=words32.map(lambda text: bytes.fromhex(text[2:])),
    )
    def test_of_a_trade_is_the_abi_encoding_hashed_twice(
        self, seller, buyer, energy_wh, price, micros, salt
    ):
        encoded = encode(
            ["address", "address", "uint64", "int32", "int64", "bytes32"],
            [seller, buyer, energy_wh, price, micros, salt],
        )
        found = trade_leaf(seller, buyer, energy_wh, price, micros, salt)
        assert found == keccak(keccak(encoded))

    def test_says_estimated_by_a_word_that_no_readings_hash_to(self):
        assert readings_hash([b"\x01" * 32], estimated=True) == ESTIMATED == keccak(b"estimated")
        assert readings_hash([b"\x01" * 32, b"\x02" * 32], estimated=False) == keccak(
            b"\x01" * 32 + b"\x02" * 32
        )


class TestErrors:
    @pytest.mark.parametrize("name", ["ChargeVault", "TradeLedger", "MeterRegistry", "EnergyEuro"])
    def test_of_our_contracts_are_each_provoked_by_a_test(self, name):
        own = re.compile(rf"{name}_|Json_|Ocmf_|Purse_")
        declared = {
            entry["name"]
            for entry in load_artifact(name).abi
            if entry["type"] == "error" and own.match(entry["name"])
        }
        folder = Path(__file__).parent
        files = [*sorted(folder.glob("test_*.py")), folder / "ocmf_cases.py"]
        text = "".join(path.read_text() for path in files)
        outcomes = (folder / "data" / "ocmf_outcomes.json").read_text()
        assert declared
        assert {error for error in declared if error not in text + outcomes} == set()
