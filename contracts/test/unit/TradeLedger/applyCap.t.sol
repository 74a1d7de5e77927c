// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../../Trading.t.sol";

contract TradeLedger_ApplyCap_Unit_Test is Trading_Test {
    address internal member;

    function setUp() public override {
        super.setUp();
        member = members[1].addr;
    }

    function lower() internal {
        vm.prank(member);
        ledger.setCap(CENT);
    }

    function apply_() internal {
        vm.prank(stranger);
        ledger.applyCap(member);
    }

    function test_RevertGiven_NoLowerCapWaits() external {
        vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_NoCapLowering.selector, member));
        apply_();
        vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_NoCapLowering.selector, stranger));
        ledger.applyCap(stranger);
    }

    function test_RevertGiven_TheLowerCapIsNotReady() external {
        lower();
        bytes memory refusal =
            abi.encodeWithSelector(ITradeLedger.TradeLedger_CapNotReady.selector, member, START + 1 weeks);
        vm.expectRevert(refusal);
        apply_();
        vm.warp(START + 1 weeks - 1);
        vm.expectRevert(refusal);
        apply_();
        assertEq(ledger.capOf(member), CAP);
    }

    function test_GivenItsIntervalIsSettledAndTwoHavePassed() external {
        lower();
        vm.warp(START + 2 * INTERVAL_S);
        settleThrough(START / INTERVAL_S);
        vm.expectEmit(address(ledger));
        emit ITradeLedger.CapSet(member, CENT);
        apply_();
        assertEq(ledger.capOf(member), CENT);
        assertEq(ledger.balanceOf(member), BALANCE);
        assertEq(ledger.capOf(members[0].addr), CAP);
        vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_NoCapLowering.selector, member));
        apply_();
        Run memory one = following(trade(int40(uint40(CENT)) + 1));
        vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_AboveCap.selector, member, CENT, CENT + 1));
        settle(one);
    }

    function test_GivenAWeekHasPassedAndEntriesArePaused() external {
        lower();
        vm.prank(admin);
        ledger.pauseEntries(true);
        vm.warp(START + 1 weeks);
        apply_();
        assertEq(ledger.capOf(member), CENT);
    }

    function test_GivenTheCapHasNotCountedYet() external {
        lower();
        settle(following(trade(int40(uint40(CAP)))));
        assertEq(ledger.balanceOf(member), BALANCE - CAP);
    }
}
