// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../../Trading.t.sol";

contract TradeLedger_SetCap_Unit_Test is Trading_Test {
    function refuses(address caller, uint64 cap, bytes memory refusal) internal {
        vm.expectRevert(refusal);
        vm.prank(caller);
        ledger.setCap(cap);
    }

    function set(uint64 cap) internal {
        vm.prank(members[0].addr);
        ledger.setCap(cap);
    }

    function assertWaits(uint64 cap, uint64 askedAt) internal view {
        (uint64 waiting, uint64 since) = ledger.loweringOf(members[0].addr);
        assertEq(waiting, cap);
        assertEq(since, askedAt);
    }

    function pause() internal {
        vm.prank(admin);
        ledger.pauseEntries(true);
    }

    function test_RevertGiven_TheCallerHasNotJoined() external {
        bytes4 refusal = ITradeLedger.TradeLedger_NotAMember.selector;
        refuses(stranger, CAP, abi.encodeWithSelector(refusal, stranger));
    }

    function test_RevertWhen_TheCapHasBrokenCents() external {
        bytes4 refusal = ITradeLedger.TradeLedger_CapNotWholeCents.selector;
        refuses(members[0].addr, CAP - 1, abi.encodeWithSelector(refusal, CAP - 1));
        refuses(members[0].addr, 1, abi.encodeWithSelector(refusal, 1));
    }

    function test_RevertWhen_TheCapIsHigherThanALaneCanSay() external {
        bytes4 refusal = ITradeLedger.TradeLedger_CapTooHigh.selector;
        refuses(members[0].addr, CAP_MAX + CENT, abi.encodeWithSelector(refusal, CAP_MAX + CENT, CAP_MAX));
    }

    function test_WhenTheCapIsLower() external {
        vm.expectEmit(address(ledger));
        emit ITradeLedger.CapLoweringRequested(members[0].addr, CAP - CENT, START + 1 weeks);
        set(CAP - CENT);
        assertEq(ledger.capOf(members[0].addr), CAP);
        assertWaits(CAP - CENT, START);
        // A later wish waits anew.
        vm.warp(START + 5);
        set(CAP - 2 * CENT);
        assertEq(ledger.capOf(members[0].addr), CAP);
        assertWaits(CAP - 2 * CENT, START + 5);
    }

    function test_WhenTheCapIsLowerAndEntriesArePaused() external {
        pause();
        set(0);
        assertEq(ledger.capOf(members[0].addr), CAP);
        assertWaits(0, START);
    }

    function test_RevertWhen_TheCapIsHigherAndEntriesArePaused() external {
        pause();
        refuses(members[0].addr, CAP + CENT, abi.encodeWithSelector(ITradeLedger.TradeLedger_EntriesPaused.selector));
        assertEq(ledger.capOf(members[0].addr), CAP);
    }

    function test_WhenTheCapIsHigher() external {
        set(CENT);
        vm.expectEmit(address(ledger));
        emit ITradeLedger.CapSet(members[0].addr, CAP_MAX);
        set(CAP_MAX);
        assertEq(ledger.capOf(members[0].addr), CAP_MAX);
        assertEq(ledger.balanceOf(members[0].addr), BALANCE);
        assertEq(ledger.capOf(members[1].addr), CAP);
        assertWaits(0, 0);
    }

    function test_WhenTheCapIsTheSameAndEntriesArePaused() external {
        set(CENT);
        pause();
        vm.expectEmit(address(ledger));
        emit ITradeLedger.CapSet(members[0].addr, CAP);
        set(CAP);
        assertEq(ledger.capOf(members[0].addr), CAP);
        assertWaits(0, 0);
    }
}
