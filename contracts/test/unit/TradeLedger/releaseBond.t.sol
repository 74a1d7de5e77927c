// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../../Trading.t.sol";
import {HostileEuro} from "../../tokens/HostileEuro.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

contract TradeLedger_ReleaseBond_Unit_Test is Trading_Test {
    function setUp() public override {
        super.setUp();
        post(5);
    }

    function release() internal {
        vm.prank(admin);
        ledger.releaseBond();
    }

    function request() internal {
        vm.prank(admin);
        ledger.requestBondRelease();
    }

    function requestAndWait() internal {
        request();
        vm.warp(START + 1 weeks);
    }

    function test_RevertWhen_TheCallerIsNotTheOwnerOfTheBond() external {
        requestAndWait();
        vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_NotYourBond.selector, stranger, admin));
        vm.prank(stranger);
        ledger.releaseBond();
    }

    function test_RevertGiven_TheBondWasNotAskedFor() external {
        vm.warp(START + 10 weeks);
        vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_BondNotReady.selector, 0));
        release();
    }

    function test_RevertGiven_AWeekHasNotPassed() external {
        request();
        vm.warp(START + 1 weeks - 1);
        vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_BondNotReady.selector, START + 1 weeks));
        release();
    }

    function test_RevertWhen_TheTokenRefusesTheOwner() external {
        requestAndWait();
        hostile().setBlocked(admin);
        vm.expectRevert(abi.encodeWithSelector(HostileEuro.Blocked.selector, admin));
        release();
        assertEq(ledger.bondOf(admin), 5);
    }

    function test_RevertWhen_TheTokenSaysThatItDidNotPay() external {
        requestAndWait();
        hostile().setMood(HostileEuro.Mood.Refusing);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(euro)));
        release();
        assertEq(ledger.bondOf(admin), 5);
    }

    function test_WhenTheTokenCallsBack() external {
        requestAndWait();
        hostile().arm(address(ledger), abi.encodeCall(ledger.releaseBond, ()));
        release();
        assertFalse(hostile().wasLetIn());
        assertEq(
            hostile().answer(), abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
        );
        assertEq(euro.balanceOf(admin), 5);
    }

    function test_GivenAWeekHasPassedAndEntriesArePaused() external {
        requestAndWait();
        vm.prank(admin);
        ledger.pauseEntries(true);
        release();
        assertEq(euro.balanceOf(admin), 5);
    }

    function test_GivenAWeekHasPassed() external {
        requestAndWait();
        vm.expectEmit(address(ledger));
        emit ITradeLedger.BondReleased(admin, 5);
        release();
        assertEq(euro.balanceOf(admin), 5);
        assertEq(ledger.bondOf(admin), 0);
        assertEq(ledger.bondOf(address(0)), 0);
        assertEq(euro.balanceOf(address(ledger)), sumOfBalances());
        vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_NotYourBond.selector, admin, address(0)));
        release();
        // Runs are taken again, and a bond may be posted by anybody who settles.
        settle(following(""));
        vm.startPrank(admin);
        ledger.grantRole(ledger.SETTLER_ROLE(), stranger);
        euro.transfer(stranger, 5);
        vm.stopPrank();
        vm.startPrank(stranger);
        euro.approve(address(ledger), 5);
        ledger.postBond(5);
        vm.stopPrank();
        assertEq(ledger.bondOf(stranger), 5);
    }
}
