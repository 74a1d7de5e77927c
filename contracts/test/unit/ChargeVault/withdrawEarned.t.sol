// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HostileEuro} from "../../tokens/HostileEuro.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Vault_Test} from "../../Vault.t.sol";
import {IChargeVault} from "../../../src/interfaces/IChargeVault.sol";

contract ChargeVault_WithdrawEarned_Unit_Test is Vault_Test {
    bytes32[] internal meters = [STATION];

    function setUp() public override {
        super.setUp();
        close(plain(), open(plain()), 1, 1 hours);
    }

    function attempt(address caller, uint64 amount) internal {
        vm.prank(caller);
        vault.withdrawEarned(buyer, amount);
    }

    function expectInsufficient(address who, uint64 held, uint64 wanted) internal {
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_Insufficient.selector, who, held, wanted));
    }

    function test_RevertGiven_LessWasEarned() external {
        vault.collect(meters);
        expectInsufficient(operator, CHARGE, CHARGE + 1);
        attempt(operator, CHARGE + 1);
    }

    function test_RevertGiven_TheEarningsWereNotCollected() external {
        expectInsufficient(operator, 0, 1);
        attempt(operator, 1);
    }

    function test_RevertWhen_ADriverAsks() external {
        stand(driver.addr, 0, DEPOSIT);
        expectInsufficient(driver.addr, 0, 1);
        attempt(driver.addr, 1);
    }

    function test_RevertGiven_TheTokenRefuses() external {
        vault.collect(meters);
        token.setMood(HostileEuro.Mood.Refusing);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(token)));
        attempt(operator, 1);
        assertEq(vault.earnedOf(operator), CHARGE);
    }

    function test_GivenTheTokenCallsBack() external {
        vault.collect(meters);
        token.arm(address(vault), abi.encodeCall(IChargeVault.withdrawEarned, (address(token), 0)));
        attempt(operator, CHARGE);
        assertFalse(token.wasLetIn());
        assertEq(bytes4(token.answer()), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
    }

    function testFuzz_GivenEnoughWasEarned(uint64 amount) external {
        vault.collect(meters);
        amount = uint64(bound(amount, 0, CHARGE));
        expectTransfer(address(vault), buyer, amount);
        vm.expectEmit(address(vault));
        emit IChargeVault.EarningsWithdrawn(operator, buyer, amount);
        attempt(operator, amount);
        assertEq(vault.earnedOf(operator), CHARGE - amount);
        assertEq(token.balanceOf(buyer), amount);
        assertEq(token.balanceOf(address(vault)), CHARGE - amount);
    }
}
