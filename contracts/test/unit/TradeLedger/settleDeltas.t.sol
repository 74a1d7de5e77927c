// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../../Trading.t.sol";

contract TradeLedger_SettleDeltas_Unit_Test is Trading_Test {
    int40 internal constant ONE_CAP = int40(uint40(CAP));
    int40 internal constant ALL = int40(uint40(BALANCE));

    function refuses(bytes memory deltas, bytes memory refusal) internal {
        Run memory one = following(deltas);
        vm.expectRevert(refusal);
        settle(one);
    }

    /// @dev Lets the second member be debited up to `cap`.
    function raise(uint64 cap) internal {
        vm.prank(members[1].addr);
        ledger.setCap(cap);
    }

    function test_RevertWhen_TheLastEntryIsCut() external {
        bytes memory whole = abi.encodePacked(trade(1), entry(1, 1, -1, 0, 0));
        for (uint256 length = 1; length < whole.length; ++length) {
            if (length == 23) continue;
            bytes memory cut = new bytes(length);
            for (uint256 i = 0; i < length; ++i) {
                cut[i] = whole[i];
            }
            refuses(cut, abi.encodeWithSelector(ITradeLedger.TradeLedger_BadLength.selector, length));
        }
        settle(following(whole));
    }

    function test_RevertWhen_SlotsDoNotStrictlyAscend() external {
        bytes4 refusal = ITradeLedger.TradeLedger_Unsorted.selector;
        refuses(abi.encodePacked(trade(1), trade(1)), abi.encodeWithSelector(refusal, 0));
        bytes memory second = entry(1, 1, -1, 0, 0);
        refuses(abi.encodePacked(second, trade(1)), abi.encodeWithSelector(refusal, 0));
        refuses(abi.encodePacked(trade(1), second, second), abi.encodeWithSelector(refusal, 1));
    }

    function test_RevertWhen_AnEntryMovesNothing() external {
        bytes4 refusal = ITradeLedger.TradeLedger_EmptyEntry.selector;
        refuses(entry(0, 0, 0, 0, 0), abi.encodeWithSelector(refusal, 0));
        refuses(abi.encodePacked(trade(1), entry(1, 0, 0, 0, 0)), abi.encodeWithSelector(refusal, 1));
        refuses(entry(type(uint24).max, 0, 0, 0, 0), abi.encodeWithSelector(refusal, type(uint24).max));
    }

    function test_RevertWhen_NobodyHoldsTheLane() external {
        bytes4 refusal = ITradeLedger.TradeLedger_NobodysLane.selector;
        for (int40 micros = -1; micros < 2; micros += 2) {
            refuses(entry(1, -micros, 0, 0, micros), abi.encodeWithSelector(refusal, 7));
            refuses(entry(2, micros, 0, 0, 0), abi.encodeWithSelector(refusal, 8));
            refuses(entry(type(uint24).max, 0, 0, 0, micros), abi.encodeWithSelector(refusal, 2 ** 26 - 1));
        }
    }

    function test_RevertWhen_DeltasDoNotSumToZero() external {
        bytes4 refusal = ITradeLedger.TradeLedger_NotZeroSum.selector;
        refuses(entry(0, 1, 0, 0, 0), abi.encodeWithSelector(refusal, int256(1)));
        refuses(entry(0, 0, 0, 0, -1), abi.encodeWithSelector(refusal, int256(-1)));
        bytes memory both = abi.encodePacked(entry(0, 7, 0, -2, 0), entry(1, 0, -4, 0, 0));
        refuses(both, abi.encodeWithSelector(refusal, int256(1)));
    }

    function test_RevertWhen_AMemberIsDebitedAboveItsOwnCap() external {
        bytes4 refusal = ITradeLedger.TradeLedger_AboveCap.selector;
        refuses(trade(ONE_CAP + 1), abi.encodeWithSelector(refusal, members[1].addr, CAP, CAP + 1));
        refuses(
            abi.encodePacked(entry(0, ONE_CAP + 1, 0, 0, 0), entry(1, 0, -ONE_CAP - 1, 0, 0)),
            abi.encodeWithSelector(refusal, members[5].addr, CAP, CAP + 1)
        );
        // The cap is named first where both stand in the way.
        refuses(trade(ALL + 1), abi.encodeWithSelector(refusal, members[1].addr, CAP, BALANCE + 1));
    }

    function test_RevertWhen_AMemberIsDebitedBeyondItsFunds() external {
        raise(CAP_MAX);
        refuses(
            trade(ALL + 1),
            abi.encodeWithSelector(ITradeLedger.TradeLedger_Underfunded.selector, members[1].addr, BALANCE, BALANCE + 1)
        );
    }

    function test_RevertWhen_AnInstitutionIsDebitedBeyondItsFunds() external {
        bytes4 refusal = ITradeLedger.TradeLedger_Underfunded.selector;
        refuses(entry(1, 1, 0, -1, 0), abi.encodeWithSelector(refusal, grid, 0, 1));
        settle(following(entry(1, -5, 0, 5, 0)));
        refuses(entry(1, 6, 0, -6, 0), abi.encodeWithSelector(refusal, grid, 5, 6));
    }

    function test_RevertWhen_ACreditIsMoreThanALaneCanSay() external {
        fund(members[0].addr, 2 ** 44);
        pay(members[0], CAP, BALANCE_MAX - BALANCE - 9, keccak256("most"));
        refuses(
            trade(10),
            abi.encodeWithSelector(
                ITradeLedger.TradeLedger_BalanceOverflow.selector, members[0].addr, BALANCE_MAX - 9, 10
            )
        );
        settle(following(trade(9)));
        assertEq(ledger.balanceOf(members[0].addr), BALANCE_MAX);
        assertEq(ledger.capOf(members[0].addr), CAP);
    }

    function test_RevertWhen_ADeltaIsTheLowestThereIs() external {
        int40 lowest = type(int40).min;
        refuses(
            entry(0, lowest, 0, 0, 0),
            abi.encodeWithSelector(ITradeLedger.TradeLedger_AboveCap.selector, members[0].addr, CAP, 2 ** 39)
        );
        refuses(
            entry(1, 0, 0, lowest, 0),
            abi.encodeWithSelector(ITradeLedger.TradeLedger_Underfunded.selector, grid, 0, 2 ** 39)
        );
    }

    function test_WhenTheSlotsAreFull() external {
        join(makeAccount("eighth"), 0, 0);
        settle(following(abi.encodePacked(entry(0, -4, -3, -2, -1), entry(1, 1, 2, 3, 4))));
        uint64[8] memory expected = [BALANCE - 4, BALANCE - 3, BALANCE - 2, BALANCE - 1, BALANCE + 1, BALANCE + 2, 3, 4];
        for (uint32 id = 0; id < 8; ++id) {
            assertEq(ledger.balanceOf(ledger.accountOf(id)), expected[id]);
        }
    }

    function test_WhenAMemberIsDebitedItsWholeCapOrAllItsFunds() external {
        settle(following(trade(ONE_CAP)));
        assertEq(ledger.balanceOf(members[1].addr), BALANCE - CAP);
        raise(CAP_MAX);
        settle(following(trade(ALL - ONE_CAP)));
        assertEq(ledger.balanceOf(members[1].addr), 0);
        assertEq(ledger.balanceOf(members[0].addr), 2 * BALANCE);
        assertEq(ledger.capOf(members[1].addr), CAP_MAX);
        for (uint256 i = 0; i < MEMBERS; ++i) {
            if (i == 1) continue;
            assertEq(ledger.capOf(members[i].addr), CAP);
            if (i > 1) assertEq(ledger.balanceOf(members[i].addr), BALANCE);
        }
    }

    function test_WhenAMemberIsCreditedBeyondItsCap() external {
        settle(following(entry(0, 3 * ONE_CAP, -ONE_CAP, -ONE_CAP, -ONE_CAP)));
        assertEq(ledger.balanceOf(members[0].addr), BALANCE + 3 * CAP);
    }

    function test_WhenAnInstitutionIsDebitedAllItsFunds() external {
        settle(following(entry(1, -ONE_CAP, -ONE_CAP, 2 * ONE_CAP, 0)));
        settle(following(entry(1, 2 * ONE_CAP, 0, -2 * ONE_CAP, 0)));
        assertEq(ledger.balanceOf(grid), 0);
        assertEq(ledger.capOf(grid), 0);
        assertEq(ledger.balanceOf(members[4].addr), BALANCE + CAP);
    }
}
