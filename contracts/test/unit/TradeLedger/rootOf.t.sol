// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../../Trading.t.sol";

contract TradeLedger_RootOf_Unit_Test is Trading_Test {
    function root(uint64 run) internal pure returns (bytes32) {
        return keccak256(abi.encode(run));
    }

    /// @dev Settles hours, of which the ring keeps 336 runs.
    function settleHours(uint64 number) internal {
        ledger = deployed(3600, 0);
        Run memory one = following("");
        for (uint64 run = 1; run <= number; ++run) {
            (one.run, one.interval, one.root) = (run, START / 3600 - run, root(run));
            settle(one);
        }
    }

    function test_RevertGiven_TheRunWasNeverSettled() external {
        bytes4 refusal = ITradeLedger.TradeLedger_RunNotSettled.selector;
        vm.expectRevert(abi.encodeWithSelector(refusal, 0, 0));
        ledger.rootOf(0);
        settle(following(""));
        settle(following(""));
        uint64[3] memory runs = [0, 3, type(uint64).max];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(refusal, runs[i], 2));
            ledger.rootOf(runs[i]);
        }
    }

    function test_RevertGiven_TheRunIsForgotten() external {
        settleHours(338);
        for (uint64 run = 1; run < 3; ++run) {
            vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_RunForgotten.selector, run, 3));
            ledger.rootOf(run);
        }
        assertEq(ledger.rootOf(3), root(3));
    }

    function test_GivenTheRunIsKept() external {
        settleHours(336);
        for (uint64 run = 1; run <= 336; ++run) {
            assertEq(ledger.rootOf(run), root(run));
        }
    }
}
