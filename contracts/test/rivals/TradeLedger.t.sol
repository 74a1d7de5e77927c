// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../Trading.t.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

/// @dev What rivals' ledgers let happen does not happen here; each fault was reproduced in another
/// system for trading energy between neighbours, or read in its code.
contract TradeLedger_Rivals_Test is Trading_Test {
    int40 internal constant ONE_CAP = int40(uint40(CAP));

    function refuses(Run memory one, bytes memory refusal) internal {
        vm.expectRevert(refusal);
        settle(one);
    }

    /// @notice Lemlab's `update_user_balances` took any balance from anybody.
    function test_NobodyCreditsThemselves() external {
        bytes4 refusal = IAccessControl.AccessControlUnauthorizedAccount.selector;
        bytes32 role = ledger.SETTLER_ROLE();
        address[4] memory callers = [stranger, members[0].addr, grid, address(euro)];
        for (uint256 i = 0; i < 4; ++i) {
            vm.expectRevert(abi.encodeWithSelector(refusal, callers[i], role));
            vm.prank(callers[i]);
            ledger.settle(1, OVER, 0, 0, 0, ROOT, trade(ONE_CAP));
            vm.expectRevert(abi.encodeWithSelector(refusal, callers[i], bytes32(0)));
            vm.prank(callers[i]);
            ledger.grantRole(role, callers[i]);
        }
        assertEq(sumOfBalances(), MEMBERS * BALANCE);
    }

    /// @notice Nor does the settler, in whose hands Lemlab leaves every balance.
    function test_TheSettlerMakesNoMoney() external {
        refuses(
            following(entry(0, 1, 0, 0, 0)),
            abi.encodeWithSelector(ITradeLedger.TradeLedger_NotZeroSum.selector, int256(1))
        );
    }

    /// @notice Lemlab's `clear_permanent_data` left no user. No call, whatever it is, does that here.
    function testFuzz_NobodyWipesOutUsers(bytes4 selector, bytes calldata arguments) external {
        vm.prank(stranger);
        (bool done,) = address(ledger).call(abi.encodePacked(selector, arguments));
        done;
        assertEq(ledger.accounts(), 7);
        for (uint32 id = 0; id < MEMBERS; ++id) {
            assertEq(ledger.accountOf(id), members[id].addr);
            assertEq(ledger.balanceOf(members[id].addr), BALANCE);
            assertEq(ledger.capOf(members[id].addr), CAP);
        }
    }

    /// @notice D3A let a buyer without tokens trade, down to -480.
    function test_NoBalanceFallsBelowNothing() external {
        for (uint256 i = 0; i < BALANCE / CAP; ++i) {
            settle(following(trade(ONE_CAP)));
        }
        assertEq(ledger.balanceOf(members[1].addr), 0);
        refuses(
            following(trade(1)),
            abi.encodeWithSelector(ITradeLedger.TradeLedger_Underfunded.selector, members[1].addr, 0, 1)
        );
    }

    /// @notice D3A's check of the market's interval was commented out.
    function testFuzz_NothingIsSettledAheadOfTime(uint64 interval) external {
        Run memory one = following("");
        one.interval = uint64(bound(interval, OVER + 1, type(uint64).max));
        refuses(one, abi.encodeWithSelector(ITradeLedger.TradeLedger_IntervalNotOver.selector, one.interval));
    }

    /// @notice In IBM's sample the seller sets what the buyer pays.
    function testFuzz_ABuyerPaysNoMoreThanItSigned(uint40 debit) external {
        debit = uint40(bound(debit, CAP + 1, uint40(type(int40).max)));
        refuses(
            following(trade(int40(debit))),
            abi.encodeWithSelector(ITradeLedger.TradeLedger_AboveCap.selector, members[1].addr, CAP, debit)
        );
    }

    /// @notice In IBM's sample a trade of a negative value takes the seller's money.
    function test_ANegativePriceIsBoundByTheSellersCap() external {
        refuses(
            following(trade(-ONE_CAP - 1)),
            abi.encodeWithSelector(ITradeLedger.TradeLedger_AboveCap.selector, members[0].addr, CAP, CAP + 1)
        );
    }

    /// @notice A cap that could be met twice in a run would be none.
    function test_ADebitIsNotSplitToPassTheCap() external {
        refuses(
            following(abi.encodePacked(trade(ONE_CAP), trade(ONE_CAP))),
            abi.encodeWithSelector(ITradeLedger.TradeLedger_Unsorted.selector, 0)
        );
    }

    /// @notice GSY's buyers paid a grid fee that nobody received.
    function testFuzz_WhatBuyersPaySomebodyReceives(uint40 paid, uint40 received) external {
        paid = uint40(bound(paid, 1, CAP));
        received = uint40(bound(received, 1, CAP));
        vm.assume(paid != received);
        Run memory one = following(entry(0, int40(received), -int40(paid), 0, 0));
        int256 sum = int256(int40(received)) - int40(paid);
        refuses(one, abi.encodeWithSelector(ITradeLedger.TradeLedger_NotZeroSum.selector, sum));
    }

    /// @notice Origin's batches ran one past their end, so that a batch of one reverted.
    function test_ARunOfOnePairOrOfNothingIsTaken() external {
        settle(following(trade(1)));
        settle(following(""));
        assertEq(ledger.lastRun(), 2);
    }
}
