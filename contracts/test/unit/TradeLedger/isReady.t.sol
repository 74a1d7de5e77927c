// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Trading_Test} from "../../Trading.t.sol";

contract TradeLedger_IsReady_Unit_Test is Trading_Test {
    uint64 internal constant ASKED = START / INTERVAL_S;

    function test_GivenTwoIntervalsHaveNotPassed() external {
        assertFalse(ledger.isReady(START));
        vm.warp(START + 2 * INTERVAL_S - 1);
        settleThrough(ASKED);
        assertFalse(ledger.isReady(START));
    }

    function testFuzz_GivenAnIntervalUpToThatOfTheRequestIsNotSettled(uint64 passed) external {
        vm.warp(START + 2 * INTERVAL_S);
        settleThrough(ASKED - 1);
        vm.warp(START + bound(passed, 2 * INTERVAL_S, 1 weeks - 1));
        assertFalse(ledger.isReady(START));
        assertTrue(ledger.isReady(START - 1));
    }

    function testFuzz_GivenBothTwoIntervalsHavePassedAndAllUpToThatOfTheRequestIsSettled(uint64 asked, uint64 passed)
        external
    {
        // Asked for anywhere in the interval, to its last second.
        asked = START + uint64(bound(asked, 0, INTERVAL_S - 1));
        vm.warp(asked + bound(passed, 2 * INTERVAL_S, 1 weeks - 1));
        settleThrough(ASKED);
        assertTrue(ledger.isReady(asked));
        assertFalse(ledger.isReady(START + INTERVAL_S));
    }

    function testFuzz_GivenAWeekHasPassed(uint64 passed) external {
        vm.warp(START + bound(passed, 1 weeks, 1000 weeks));
        assertTrue(ledger.isReady(START));
        assertEq(ledger.settledThrough(), 0);
    }
}
