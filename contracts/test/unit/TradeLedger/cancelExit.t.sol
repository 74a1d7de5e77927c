// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../../Trading.t.sol";

contract TradeLedger_CancelExit_Unit_Test is Trading_Test {
    function test_RevertGiven_NoExitWaits() external {
        address[2] memory callers = [members[0].addr, stranger];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_NoExit.selector, callers[i]));
            vm.prank(callers[i]);
            ledger.cancelExit();
        }
    }

    function test_GivenAnExitWaits() external {
        vm.startPrank(members[0].addr);
        ledger.requestExit(7);
        vm.expectEmit(address(ledger));
        emit ITradeLedger.ExitCancelled(members[0].addr, 7);
        ledger.cancelExit();
        assertEq(ledger.exitOf(members[0].addr), 0);
        assertEq(ledger.exitRequestedAt(members[0].addr), 0);
        assertEq(ledger.balanceOf(members[0].addr), BALANCE);
        vm.warp(START + 1 weeks);
        vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_NoExit.selector, members[0].addr));
        ledger.exit();
        ledger.requestExit(BALANCE);
        vm.stopPrank();
    }
}
