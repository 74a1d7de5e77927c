// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../../Trading.t.sol";

contract TradeLedger_RequestExit_Unit_Test is Trading_Test {
    function refuses(address caller, uint64 amount) internal {
        vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_BadExit.selector, caller, amount));
        vm.prank(caller);
        ledger.requestExit(amount);
    }

    function test_RevertGiven_TheCallerHasNotJoined() external {
        vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_NotAMember.selector, stranger));
        vm.prank(stranger);
        ledger.requestExit(1);
    }

    function test_RevertWhen_NothingIsAskedFor() external {
        refuses(members[0].addr, 0);
    }

    function test_RevertWhen_MoreIsAskedForThanIsThere() external {
        refuses(members[0].addr, BALANCE + 1);
        refuses(members[0].addr, type(uint64).max);
        refuses(grid, 1);
    }

    function test_RevertGiven_AnotherExitWaits() external {
        vm.prank(members[0].addr);
        ledger.requestExit(1);
        refuses(members[0].addr, 1);
        assertEq(ledger.exitOf(members[0].addr), 1);
    }

    function testFuzz_GivenSomethingIsThereAndEntriesArePaused(uint64 amount) external {
        amount = uint64(bound(amount, 1, BALANCE));
        vm.prank(admin);
        ledger.pauseEntries(true);
        vm.expectEmit(address(ledger));
        emit ITradeLedger.ExitRequested(members[0].addr, amount, START + 1 weeks);
        vm.prank(members[0].addr);
        ledger.requestExit(amount);
        assertEq(ledger.exitOf(members[0].addr), amount);
        assertEq(ledger.exitRequestedAt(members[0].addr), START);
        assertEq(ledger.balanceOf(members[0].addr), BALANCE);
        assertEq(ledger.exitOf(members[1].addr), 0);
    }
}
