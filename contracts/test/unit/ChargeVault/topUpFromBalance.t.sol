// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vault_Test} from "../../Vault.t.sol";
import {IChargeVault} from "../../../src/interfaces/IChargeVault.sol";

contract ChargeVault_TopUpFromBalance_Unit_Test is Vault_Test {
    uint64 internal constant MORE = 1_000_000;

    IChargeVault.Terms internal terms;
    IChargeVault.Opening internal opening;

    function setUp() public override {
        super.setUp();
        terms = plain();
        opening = open(terms);
        stand(driver.addr, 0, MORE);
    }

    function attempt(uint64 amount) internal {
        vm.prank(driver.addr);
        vault.topUpFromBalance(terms, opening, amount);
    }

    function test_RevertWhen_TheCallerIsNotTheDriver() external {
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_NotTheDriver.selector, stranger, driver.addr));
        vm.prank(stranger);
        vault.topUpFromBalance(terms, opening, MORE);
    }

    function test_RevertGiven_NoSuchSessionIsOpen() external {
        opening.openedAt += 1;
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_NotOpen.selector, idOf(terms)));
        attempt(MORE);
    }

    function test_RevertWhen_TheDeadlineHasCome() external {
        uint64 deadline = terms.deadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_DeadlinePassed.selector, deadline, deadline));
        attempt(MORE);
    }

    function test_RevertGiven_LessIsFree() external {
        vm.expectRevert(
            abi.encodeWithSelector(IChargeVault.ChargeVault_Insufficient.selector, driver.addr, MORE, MORE + 1)
        );
        attempt(MORE + 1);
    }

    function test_RevertWhen_TheAmountIsZero() external {
        vm.expectRevert(IChargeVault.ChargeVault_NoDeposit.selector);
        attempt(0);
    }

    function test_GivenEnoughIsFree() external {
        vm.expectEmit(address(vault));
        emit IChargeVault.SessionToppedUp(idOf(terms), MORE - 1, DEPOSIT + MORE - 1, false);
        attempt(MORE - 1);
        assertPurse(driver.addr, 0, 1, DEPOSIT + MORE - 1);
        attempt(1);
        assertPurse(driver.addr, 0, 0, DEPOSIT + MORE);
        assertTrue(vault.isOpen(terms, opening));
        assertEq(token.balanceOf(address(vault)), DEPOSIT + MORE);
    }
}
