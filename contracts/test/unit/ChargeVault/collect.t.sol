// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vault_Test} from "../../Vault.t.sol";
import {IChargeVault} from "../../../src/interfaces/IChargeVault.sol";

contract ChargeVault_Collect_Unit_Test is Vault_Test {
    bytes32[] internal meters;

    function test_GivenTheStationEarnedNothing() external {
        meters.push(STATION);
        vm.expectEmit(address(vault));
        emit IChargeVault.EarningsCollected(STATION, operator, 0);
        vault.collect(meters);
        assertEq(vault.earnedOf(operator), 0);
    }

    function test_GivenTheMeterIsBoundToNobody() external {
        meters.push(keccak256("unknown"));
        vm.expectEmit(address(vault));
        emit IChargeVault.EarningsCollected(meters[0], address(0), 0);
        vault.collect(meters);
    }

    function test_GivenStationsHaveEarned() external {
        IChargeVault.Terms memory terms = plain();
        IChargeVault.Opening memory opening = open(terms);
        assign(K1_STATION, buyer);
        IChargeVault.Terms memory second = termsAt(K1_STATION);
        (second.purse, second.operator) = (1, buyer);
        IChargeVault.Opening memory itsOpening = open(second);
        close(terms, opening, 1, 1 hours);
        close(second, itsOpening, 1, 0);
        meters.push(STATION);
        meters.push(K1_STATION);
        meters.push(STATION);
        vm.expectEmit(address(vault));
        emit IChargeVault.EarningsCollected(STATION, operator, CHARGE);
        vm.expectEmit(address(vault));
        emit IChargeVault.EarningsCollected(K1_STATION, buyer, CHARGE);
        vm.expectEmit(address(vault));
        emit IChargeVault.EarningsCollected(STATION, operator, 0);
        vm.prank(stranger);
        vault.collect(meters);
        assertEq(vault.earnedOf(operator), CHARGE);
        assertEq(vault.earnedOf(buyer), CHARGE);
        assertEq(vault.stationEarned(STATION), 0);
        assertEq(vault.stationEarned(K1_STATION), 0);
        assertEq(vault.lastPageOf(STATION), 1);
    }
}
