// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HostileEuro} from "../../tokens/HostileEuro.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Vault_Test} from "../../Vault.t.sol";
import {IChargeVault} from "../../../src/interfaces/IChargeVault.sol";

contract ChargeVault_Withdraw_Unit_Test is Vault_Test {
    function setUp() public override {
        super.setUp();
        open(plain());
        stand(driver.addr, 0, 1000);
    }

    function attempt(address caller, uint32 purse, uint64 amount) internal {
        vm.prank(caller);
        vault.withdraw(purse, stranger, amount);
    }

    function expectInsufficient(address who, uint64 held, uint64 wanted) internal {
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_Insufficient.selector, who, held, wanted));
    }

    function test_RevertGiven_LessIsFree() external {
        expectInsufficient(driver.addr, 1000, 1001);
        attempt(driver.addr, 0, 1001);
    }

    function test_RevertGiven_TheMoneyIsInAnotherPurse() external {
        expectInsufficient(driver.addr, 0, 1);
        attempt(driver.addr, 1, 1);
    }

    function test_RevertWhen_AStrangerAsks() external {
        expectInsufficient(stranger, 0, 1);
        attempt(stranger, 0, 1);
        expectInsufficient(admin, 0, 1);
        attempt(admin, 0, 1);
    }

    function test_RevertGiven_TheTokenRefuses() external {
        token.setMood(HostileEuro.Mood.Refusing);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token)));
        attempt(driver.addr, 0, 1);
        assertPurse(driver.addr, 0, 1000, DEPOSIT);
    }

    function test_GivenTheTokenCallsBack() external {
        vm.prank(driver.addr);
        token.arm(address(vault), abi.encodeCall(IChargeVault.withdraw, (0, address(token), 1)));
        attempt(driver.addr, 0, 999);
        assertFalse(token.wasLetIn());
        assertEq(bytes4(token.answer()), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        assertPurse(driver.addr, 0, 1, DEPOSIT);
    }

    function testFuzz_GivenEnoughIsFree(uint64 amount) external {
        amount = uint64(bound(amount, 0, 1000));
        expectTransfer(address(vault), stranger, amount);
        vm.expectEmit(address(vault));
        emit IChargeVault.Withdrawn(driver.addr, 0, stranger, amount);
        attempt(driver.addr, 0, amount);
        assertPurse(driver.addr, 0, 1000 - amount, DEPOSIT);
        assertEq(token.balanceOf(stranger), amount);
        assertEq(token.balanceOf(address(vault)), DEPOSIT + 1000 - amount);
    }
}
