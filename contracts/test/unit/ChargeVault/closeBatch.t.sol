// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Vault_Test} from "../../Vault.t.sol";
import {IChargeVault} from "../../../src/interfaces/IChargeVault.sol";

contract ChargeVault_CloseBatch_Unit_Test is Vault_Test {
    IChargeVault.SignedReading[] internal batch;

    function setUp() public override {
        super.setUp();
        IChargeVault.Terms memory terms = termsAt(GATEWAY);
        add(terms);
        (terms.driver, terms.meterId) = (other.addr, P256_GATEWAY);
        add(terms);
        vm.warp(START + 1 hours);
    }

    function add(IChargeVault.Terms memory terms) internal {
        IChargeVault.Reading memory reading = IChargeVault.Reading(10_000, 15_500, uint64(START + 1 hours));
        IChargeVault.Opening memory opening = open(terms);
        batch.push(IChargeVault.SignedReading(terms, opening, reading, stampReading(terms, reading)));
    }

    function expectPassedOver(uint256 i) internal {
        vm.expectEmit(address(vault));
        emit IChargeVault.SessionPassedOver(idOf(batch[i].terms));
    }

    function expectClosed(uint256 i, bool pushed) internal {
        IChargeVault.Terms memory terms = batch[i].terms;
        vm.expectEmit(address(vault));
        emit IChargeVault.SessionClosed(idOf(terms), terms.driver, operator, 5500, CHARGE, REFUND, 0, pushed);
    }

    function test_GivenOneOfThemWasEndedBefore() external {
        vault.close(batch[0].terms, batch[0].opening, batch[0].reading, batch[0].signature);
        expectPassedOver(0);
        expectClosed(1, true);
        vault.closeBatch(batch);
        assertEq(vault.earnedOf(operator), 2 * CHARGE);
    }

    function test_GivenTheDeadlineOfOneHasCome() external {
        delete batch;
        vm.warp(START);
        IChargeVault.Terms memory terms = termsAt(GATEWAY);
        (terms.purse, terms.deadline) = (1, uint64(START + 1 hours));
        add(terms);
        (terms.purse, terms.deadline) = (2, uint64(START + 1 hours + 1));
        add(terms);
        vm.warp(START + 1 hours);
        expectPassedOver(0);
        expectClosed(1, true);
        vault.closeBatch(batch);
        assertTrue(vault.isOpen(batch[0].terms, batch[0].opening));
        assertEq(vault.earnedOf(operator), CHARGE);
    }

    function test_RevertWhen_OneReadingIsForged() external {
        batch[1].reading.endWh += 1;
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_BadSignature.selector, P256_GATEWAY));
        vault.closeBatch(batch);
        assertTrue(vault.isOpen(batch[0].terms, batch[0].opening));
    }

    function test_GivenTheTokenRefusesOneOfTheDrivers() external {
        token.setBlocked(driver.addr);
        expectClosed(0, false);
        expectClosed(1, true);
        vault.closeBatch(batch);
        assertPurse(driver.addr, 0, REFUND, 0);
        assertEq(token.balanceOf(other.addr), REFUND);
    }

    function test_GivenTheTokenCallsBack() external {
        token.arm(address(vault), abi.encodeCall(IChargeVault.closeBatch, (batch)));
        vault.closeBatch(batch);
        assertFalse(token.wasLetIn());
        assertEq(bytes4(token.answer()), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
    }

    function test_WhenAllAreInOrder() external {
        expectClosed(0, true);
        expectClosed(1, true);
        vault.closeBatch(batch);
        assertEq(vault.earnedOf(operator), 2 * CHARGE);
        assertEq(token.balanceOf(address(vault)), 2 * CHARGE);
        vault.closeBatch(batch);
        assertEq(vault.earnedOf(operator), 2 * CHARGE);
    }
}
