"""A rule of the grid operator is signed by it, makes sense, and counts from its interval on."""

from dataclasses import replace

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from contracts.typed_data import Domain, digest, sign
from settlement.trading.grid.rules import (
    NO_CAP_WH,
    BadZoneRuleError,
    NoSuchZoneError,
    ZoneRule,
    in_force,
    rule_hash,
    verify_rule,
)
from settlement.trading.grid.signing import NotSignedByGridError
from settlement.trading.zones import Zone, ZoneTree

PRIVATE = (9).to_bytes(32)
GRID = Account.from_key(PRIVATE).address.lower()
DOMAIN = Domain("Voisin", "1", 31_337, "0x" + "c0" * 20)
TREE = ZoneTree.of((Zone("street", local_toll=7), Zone("north", "street"), Zone("east", "street")))
RULE = ZoneRule(10, "north", 1_000, 2_000, 5_000, None, 1)
FIELDS = ["firstInterval", "zone", "localToll", "edgeToll", "importCapWh", "exportCapWh", "nonce"]
RULES = st.builds(
    ZoneRule,
    st.integers(0, 5),
    st.sampled_from(["street", "north", "east"]),
    st.integers(0, 9),
    st.integers(0, 9),
    st.none() | st.integers(0, 9),
    st.none() | st.integers(0, 9),
    st.integers(0, 2**62),
)


def signed(rule, private=PRIVATE):
    """Sign as a wallet does, by an implementation that is not ours."""
    caps = [NO_CAP_WH if cap is None else cap for cap in (rule.import_cap_wh, rule.export_cap_wh)]
    values = [rule.first_interval, rule.zone, rule.local_toll, rule.edge_toll, *caps, rule.nonce]
    message = encode_typed_data(
        {
            "name": DOMAIN.name,
            "version": DOMAIN.version,
            "chainId": DOMAIN.chain_id,
            "verifyingContract": DOMAIN.verifying_contract,
        },
        {
            "ZoneRule": [
                {"name": name, "type": "string" if name == "zone" else "uint64"} for name in FIELDS
            ]
        },
        dict(zip(FIELDS, values, strict=True)),
    )
    return bytes(Account.sign_message(message, private).signature)


class TestARule:
    def test_is_taken_as_any_wallet_signs_it(self):
        verify_rule(DOMAIN, TREE, RULE, signed(RULE), GRID)

    @pytest.mark.parametrize(
        "change",
        [
            {"first_interval": 11},
            {"zone": "east"},
            {"local_toll": 1_001},
            {"edge_toll": 2_001},
            {"import_cap_wh": None},
            {"export_cap_wh": 0},
            {"nonce": 2},
        ],
    )
    def test_is_signed_in_every_field(self, change):
        with pytest.raises(NotSignedByGridError):
            verify_rule(DOMAIN, TREE, replace(RULE, **change), signed(RULE), GRID)

    def test_of_somebody_else_is_refused(self):
        for signature in (signed(RULE, (8).to_bytes(32)), bytes(65)):
            with pytest.raises(NotSignedByGridError):
                verify_rule(DOMAIN, TREE, RULE, signature, GRID)

    @pytest.mark.parametrize(
        "change",
        [
            {"local_toll": -1},
            {"local_toll": 2**31},
            {"edge_toll": -1},
            {"edge_toll": 2**31},
            {"import_cap_wh": -1},
            {"export_cap_wh": 2**63},
            {"import_cap_wh": NO_CAP_WH},
            {"first_interval": -1},
            {"nonce": 2**64},
            {"zone": "\ud800"},
        ],
    )
    def test_that_makes_no_sense_is_refused(self, change):
        rule = replace(RULE, **change)
        with pytest.raises((BadZoneRuleError, NoSuchZoneError)) as caught:
            verify_rule(DOMAIN, TREE, rule, bytes(65), GRID)
        assert caught.value.code == ("no_such_zone" if "zone" in change else "bad_zone_rule")

    def test_of_a_zone_that_is_not_there_is_refused(self):
        with pytest.raises(NoSuchZoneError, match="west"):
            verify_rule(DOMAIN, TREE, replace(RULE, zone="west"), bytes(65), GRID)

    def test_has_the_hash_that_is_signed(self):
        inner = rule_hash(RULE)
        assert inner != rule_hash(replace(RULE, nonce=2))
        values = dict(zip(FIELDS, [10, "north", 1_000, 2_000, 5_000, NO_CAP_WH, 1], strict=True))
        assert signed(RULE) == sign(digest(DOMAIN, "ZoneRule", values), PRIVATE)


class TestRulesInForce:
    def test_count_from_their_interval_on(self):
        assert in_force(TREE, [RULE], 9) is TREE
        for interval in (10, 11, 10**6):
            found = in_force(TREE, [RULE], interval)
            assert found.zones[found.index["north"]] == Zone("north", "street", 1_000, 2_000, 5_000)
            assert found.root == TREE.root

    @given(st.lists(RULES, unique_by=lambda rule: rule.nonce), st.randoms())
    def test_depend_on_no_order(self, rules, chance):
        shuffled = chance.sample(rules, len(rules))
        for interval in range(6):
            assert in_force(TREE, shuffled, interval) == in_force(TREE, rules, interval)

    @given(st.lists(RULES, unique_by=lambda rule: rule.nonce))
    def test_are_the_newest_of_each_zone(self, rules):
        tree = in_force(TREE, rules, 3)
        for zone in tree.zones:
            ranks = [
                (rule.first_interval, rule.nonce, rule)
                for rule in rules
                if rule.zone == zone.name and rule.first_interval <= 3
            ]
            if not ranks:
                assert zone == TREE.zones[TREE.index[zone.name]]
                continue
            rule = max(ranks, key=lambda one: one[:2])[2]
            assert (zone.local_toll, zone.edge_toll) == (rule.local_toll, rule.edge_toll)
            assert (zone.import_cap_wh, zone.export_cap_wh) == (
                rule.import_cap_wh,
                rule.export_cap_wh,
            )

    def test_never_reach_back_when_a_later_one_comes(self):
        later = replace(RULE, first_interval=12, local_toll=5, nonce=2)
        for interval in (9, 10, 11):
            assert in_force(TREE, [RULE, later], interval) == in_force(TREE, [RULE], interval)
        assert in_force(TREE, [RULE, later], 12).local_toll("north") == 5

    def test_of_an_unknown_zone_change_nothing(self):
        assert in_force(TREE, [replace(RULE, zone="west")], 10) == TREE
