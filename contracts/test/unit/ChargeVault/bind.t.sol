// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vault_Test} from "../../Vault.t.sol";
import {IChargeVault} from "../../../src/interfaces/IChargeVault.sol";

contract ChargeVault_Bind_Unit_Test is Vault_Test {
    function test_GivenTheRegistryKnowsNobody() external {
        vm.expectEmit(address(vault));
        emit IChargeVault.StationBound(keccak256("unknown"), address(0), address(0), 0);
        vault.bind(keccak256("unknown"));
        assertEq(vault.operatorOf(keccak256("unknown")), address(0));
    }

    function test_GivenTheMeterWasRevoked() external {
        close(plain(), open(plain()), 1, 1 hours);
        revoke(STATION);
        assertEq(vault.operatorOf(STATION), operator);
        vm.prank(stranger);
        vault.bind(STATION);
        assertEq(vault.operatorOf(STATION), address(0));
        assertEq(vault.earnedOf(operator), CHARGE);
        assertEq(vault.earnedOf(address(0)), 0);
    }

    function test_GivenTheMeterChangedHands() external {
        close(plain(), open(plain()), 40, 1 hours);
        IChargeVault.Terms memory late = plain();
        (late.purse, late.salt) = (1, keccak256("late"));
        IChargeVault.Opening memory opening = open(late);
        vm.prank(admin);
        registry.assign(STATION, buyer);
        assertEq(vault.operatorOf(STATION), operator);
        vm.expectEmit(address(vault));
        emit IChargeVault.StationBound(STATION, buyer, operator, CHARGE);
        vault.bind(STATION);
        assertEq(vault.operatorOf(STATION), buyer);
        assertEq(vault.stationEarned(STATION), 0);
        assertEq(vault.earnedOf(operator), CHARGE);
        assertEq(vault.lastPageOf(STATION), 40);
        // A page at the rim of the window, spent before the meter was sold, stays spent.
        close(late, opening, 56, 1 hours);
        late.operator = buyer;
        (late.purse, late.salt) = (2, keccak256("later"));
        opening = open(late);
        vm.expectPartialRevert(IChargeVault.ChargeVault_OldPage.selector);
        this.closeLater(late, opening);
    }

    function test_GivenTheOperatorsHaveNoBitInCommon() external {
        address[2] memory operators = [address(type(uint160).max - 0xff), address(0xff)];
        for (uint32 i = 0; i < operators.length; ++i) {
            assign(STATION, operators[i]);
            assertEq(vault.operatorOf(STATION), operators[i]);
            IChargeVault.Terms memory terms = plain();
            (terms.operator, terms.purse) = (operators[i], i);
            close(terms, open(terms), i + 1, 1 hours);
            assertEq(vault.operatorOf(STATION), operators[i]);
            assertEq(vault.stationEarned(STATION), CHARGE);
        }
        assertEq(vault.earnedOf(operators[0]), CHARGE);
    }

    function closeLater(IChargeVault.Terms memory terms, IChargeVault.Opening memory opening) external {
        close(terms, opening, 56, 1 hours);
    }
}
