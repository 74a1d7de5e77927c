// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../../Trading.t.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

contract TradeLedger_Settle_Unit_Test is Trading_Test {
    /// @dev Settles, expecting to be refused with nothing changed.
    function refuses(Run memory one, bytes memory refusal) internal {
        uint64 last = ledger.lastRun();
        vm.expectRevert(refusal);
        settle(one);
        assertEq(ledger.lastRun(), last);
    }

    function test_RevertWhen_TheCallerIsNotASettler() external {
        bytes4 refusal = IAccessControl.AccessControlUnauthorizedAccount.selector;
        bytes32 role = ledger.SETTLER_ROLE();
        address[3] memory callers = [stranger, members[0].addr, grid];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(refusal, callers[i], role));
            vm.prank(callers[i]);
            ledger.settle(1, OVER, 0, 0, 0, ROOT, trade(1));
        }
    }

    function test_RevertGiven_EntriesArePaused() external {
        vm.prank(admin);
        ledger.pauseEntries(true);
        refuses(following(""), abi.encodeWithSelector(ITradeLedger.TradeLedger_EntriesPaused.selector));
    }

    function test_RevertGiven_TheBondIsTooLow() external {
        ledger = deployed(INTERVAL_S, 10);
        refuses(following(""), abi.encodeWithSelector(ITradeLedger.TradeLedger_BondTooLow.selector, 0, 10));
        post(9);
        refuses(following(""), abi.encodeWithSelector(ITradeLedger.TradeLedger_BondTooLow.selector, 9, 10));
        post(1);
        settle(following(""));
        assertEq(ledger.lastRun(), 1);
    }

    function test_RevertGiven_TheBondIsAboutToLeave() external {
        post(10);
        vm.prank(admin);
        ledger.requestBondRelease();
        bytes memory refusal =
            abi.encodeWithSelector(ITradeLedger.TradeLedger_BondLeaving.selector, uint48(START + 1 weeks));
        refuses(following(""), refusal);
        vm.warp(START + 2 weeks);
        refuses(following(""), refusal);
    }

    function test_RevertWhen_TheRunIsNotTheNext() external {
        bytes4 refusal = ITradeLedger.TradeLedger_RunNotNext.selector;
        settle(following(""));
        Run memory one = following("");
        uint64[4] memory runs = [0, 1, 3, type(uint64).max];
        for (uint256 i = 0; i < 4; ++i) {
            one.run = runs[i];
            refuses(one, abi.encodeWithSelector(refusal, runs[i], 1));
        }
    }

    function test_RevertWhen_TheIntervalIsNotOver() external {
        bytes4 refusal = ITradeLedger.TradeLedger_IntervalNotOver.selector;
        Run memory one = following("");
        vm.warp(START + INTERVAL_S - 1);
        one.interval = OVER + 1;
        refuses(one, abi.encodeWithSelector(refusal, OVER + 1));
        one.interval = type(uint64).max;
        refuses(one, abi.encodeWithSelector(refusal, type(uint64).max));
        vm.warp(START + INTERVAL_S);
        one.interval = OVER + 1;
        settle(one);
    }

    function test_RevertWhen_TheWatermarkIsNotOver() external {
        Run memory one = following("");
        one.settledThrough = OVER + 1;
        refuses(one, abi.encodeWithSelector(ITradeLedger.TradeLedger_IntervalNotOver.selector, OVER + 1));
        one.settledThrough = OVER;
        settle(one);
        assertEq(ledger.settledThrough(), OVER);
    }

    function test_RevertWhen_TheWatermarkFalls() external {
        settleThrough(OVER);
        Run memory one = following("");
        one.settledThrough = OVER - 1;
        refuses(one, abi.encodeWithSelector(ITradeLedger.TradeLedger_WatermarkFell.selector, OVER - 1, OVER));
    }

    function test_RevertGiven_TheIntervalHadItsFirstSettlement() external {
        settle(following(""));
        Run memory one = following("");
        one.interval = OVER;
        refuses(one, abi.encodeWithSelector(ITradeLedger.TradeLedger_AlreadySettled.selector, OVER));
    }

    function test_RevertWhen_TheKindIsUnknown() external {
        settle(following(""));
        Run memory one = following("");
        (one.interval, one.amends) = (OVER, 1);
        uint8[2] memory kinds = [2, 255];
        for (uint256 i = 0; i < 2; ++i) {
            one.kind = kinds[i];
            refuses(one, abi.encodeWithSelector(ITradeLedger.TradeLedger_UnknownKind.selector, kinds[i]));
        }
    }

    function test_RevertWhen_ACorrectionNamesNoRun() external {
        // An interval of number 0 would match an empty place of the ring.
        uint64[3] memory amended = [0, 1, type(uint64).max];
        uint64[2] memory intervals = [OVER, 0];
        for (uint256 i = 0; i < 3; ++i) {
            for (uint256 j = 0; j < 2; ++j) {
                Run memory one = following("");
                (one.interval, one.kind, one.amends) = (intervals[j], 1, amended[i]);
                refuses(
                    one,
                    abi.encodeWithSelector(ITradeLedger.TradeLedger_AmendsNothing.selector, intervals[j], amended[i])
                );
            }
        }
    }

    function test_RevertWhen_ACorrectionNamesARunOfAnotherInterval() external {
        settle(following(""));
        settle(following(""));
        Run memory one = following("");
        (one.interval, one.kind, one.amends) = (OVER, 1, 2);
        refuses(one, abi.encodeWithSelector(ITradeLedger.TradeLedger_AmendsNothing.selector, OVER, 2));
    }

    function test_RevertWhen_ACorrectionNamesARunThatIsForgotten() external {
        ledger = deployed(3600, 0);
        uint64 kept = ledger.RUNS_KEPT();
        uint64 over = START / 3600 - 1;
        Run memory one = following("");
        for (uint64 run = 1; run <= kept; ++run) {
            (one.run, one.interval) = (run, over + 1 - run);
            settle(one);
        }
        // The oldest that is kept may be amended; that takes its place.
        (one.run, one.interval, one.kind, one.amends) = (kept + 1, over, 1, 1);
        settle(one);
        one.run = kept + 2;
        refuses(one, abi.encodeWithSelector(ITradeLedger.TradeLedger_AmendsNothing.selector, over, 1));
        one.amends = kept + 1;
        settle(one);
    }

    function test_WhenACorrectionNamesARunOfItsInterval() external {
        settle(following(trade(300)));
        Run memory one = following(trade(-100));
        (one.interval, one.kind, one.amends, one.root) = (OVER, 1, 1, keccak256("corrected"));
        vm.expectEmit(address(ledger));
        emit ITradeLedger.IntervalSettled(2, OVER, 1, one.root, keccak256(one.deltas));
        settle(one);
        assertEq(ledger.balanceOf(members[0].addr), BALANCE + 200);
        assertEq(ledger.balanceOf(members[1].addr), BALANCE - 200);
        assertEq(ledger.rootOf(1), ROOT);
        assertEq(ledger.rootOf(2), one.root);
        // A correction may be amended in its turn.
        (one.run, one.amends) = (3, 2);
        settle(one);
        assertEq(ledger.lastRun(), 3);
    }

    function test_WhenARunMovesNothing() external {
        vm.expectEmit(address(ledger));
        emit ITradeLedger.IntervalSettled(1, OVER, 0, ROOT, keccak256(""));
        settle(following(""));
        assertEq(ledger.rootOf(1), ROOT);
        assertTrue(ledger.isSettled(OVER));
    }

    function test_WhenItIsTheFirstSettlementOfAnIntervalThatIsOver() external {
        Run memory one = following(trade(300));
        one.settledThrough = OVER - 4;
        assertFalse(ledger.isSettled(OVER));
        vm.expectEmit(address(ledger));
        emit ITradeLedger.IntervalSettled(1, OVER, 0, ROOT, keccak256(one.deltas));
        settle(one);
        assertEq(ledger.balanceOf(members[0].addr), BALANCE + 300);
        assertEq(ledger.balanceOf(members[1].addr), BALANCE - 300);
        assertEq(ledger.lastRun(), 1);
        assertEq(ledger.settledThrough(), OVER - 4);
        assertTrue(ledger.isSettled(OVER));
        assertFalse(ledger.isSettled(OVER - 1));
        assertEq(ledger.rootOf(1), ROOT);
    }
}
