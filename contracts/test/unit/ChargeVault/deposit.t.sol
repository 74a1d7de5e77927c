// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HostileEuro} from "../../tokens/HostileEuro.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IVault} from "../../IVault.sol";
import {Vault_Test} from "../../Vault.t.sol";
import {IChargeVault} from "../../../src/interfaces/IChargeVault.sol";

contract ChargeVault_Deposit_Unit_Test is Vault_Test {
    function setUp() public override {
        super.setUp();
        give(stranger, type(uint64).max);
        vm.prank(stranger);
        token.approve(address(vault), type(uint64).max);
    }

    function attempt(uint64 amount) internal {
        vm.prank(stranger);
        vault.deposit(driver.addr, 4, amount);
    }

    function test_RevertWhen_TheAmountIsZero() external {
        vm.expectRevert(IChargeVault.ChargeVault_NoDeposit.selector);
        attempt(0);
    }

    function test_RevertWhen_TheAmountIsMoreThanAPurseHolds() external {
        attempt(1);
        vm.expectRevert(abi.encodeWithSelector(IVault.Purse_Full.selector, uint256(type(uint40).max) + 1));
        attempt(type(uint40).max);
        attempt(type(uint40).max - 1);
        assertPurse(driver.addr, 4, type(uint40).max, 0);
        vm.expectRevert(
            abi.encodeWithSelector(IVault.Purse_Full.selector, uint256(type(uint40).max) + type(uint64).max)
        );
        attempt(type(uint64).max);
    }

    function test_RevertGiven_TheCallerAllowedLess() external {
        vm.prank(stranger);
        token.approve(address(vault), DEPOSIT - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, address(vault), DEPOSIT - 1, DEPOSIT
            )
        );
        attempt(DEPOSIT);
    }

    function test_RevertGiven_TheTokenKeepsAFee() external {
        token.setMood(HostileEuro.Mood.Charging);
        vm.expectRevert(
            abi.encodeWithSelector(IChargeVault.ChargeVault_TokenShort.selector, DEPOSIT - DEPOSIT / 100, DEPOSIT)
        );
        attempt(DEPOSIT);
        token.setMood(HostileEuro.Mood.Stingy);
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_TokenShort.selector, DEPOSIT - 1, DEPOSIT));
        attempt(DEPOSIT);
    }

    function test_RevertGiven_TheTokenReturnsFalse() external {
        vm.mockCall(address(token), abi.encodeWithSelector(token.transferFrom.selector), abi.encode(false));
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token)));
        attempt(DEPOSIT);
    }

    function test_GivenTheTokenCallsBack() external {
        token.arm(address(vault), abi.encodeCall(IChargeVault.deposit, (stranger, 0, 1)));
        attempt(DEPOSIT);
        assertFalse(token.wasLetIn());
        assertEq(bytes4(token.answer()), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
    }

    function testFuzz_WhenAllIsInOrder(uint40 amount) external {
        amount = uint40(bound(amount, 1, type(uint40).max));
        expectTransfer(stranger, address(vault), amount);
        vm.expectEmit(address(vault));
        emit IChargeVault.Deposited(driver.addr, 4, amount);
        attempt(amount);
        assertPurse(driver.addr, 4, amount, 0);
        assertPurse(driver.addr, 0, 0, 0);
        assertPurse(stranger, 4, 0, 0);
        assertEq(token.balanceOf(address(vault)), amount);
    }
}
