// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../../Trading.t.sol";
import {HostileEuro} from "../../tokens/HostileEuro.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

contract TradeLedger_Join_Unit_Test is Trading_Test {
    Account internal newcomer = makeAccount("newcomer");

    function setUp() public override {
        super.setUp();
        fund(newcomer.addr, 2 ** 45);
    }

    /// @dev Joins, expecting to be refused.
    function refuses(Account memory who, uint64 cap, uint64 amount, bytes memory refusal) internal {
        (uint8 v, bytes32 r, bytes32 s) = signed(who, cap, amount, 0);
        vm.expectRevert(refusal);
        ledger.join(who.addr, cap, amount, 0, 0, UNTIL, v, r, s);
    }

    function test_RevertGiven_EntriesArePaused() external {
        vm.prank(admin);
        ledger.pauseEntries(true);
        refuses(newcomer, CAP, BALANCE, abi.encodeWithSelector(ITradeLedger.TradeLedger_EntriesPaused.selector));
    }

    function test_RevertWhen_TheCapHasBrokenCents() external {
        bytes4 refusal = ITradeLedger.TradeLedger_CapNotWholeCents.selector;
        refuses(newcomer, CENT - 1, 0, abi.encodeWithSelector(refusal, CENT - 1));
        refuses(newcomer, CENT + 1, 0, abi.encodeWithSelector(refusal, CENT + 1));
        refuses(newcomer, type(uint64).max, 0, abi.encodeWithSelector(refusal, type(uint64).max));
    }

    function test_RevertWhen_TheCapIsHigherThanALaneCanSay() external {
        uint64 cap = CAP_MAX + CENT;
        refuses(newcomer, cap, 0, abi.encodeWithSelector(ITradeLedger.TradeLedger_CapTooHigh.selector, cap, CAP_MAX));
    }

    function test_RevertWhen_TheAmountIsMoreThanALaneCanSay() external {
        bytes4 refusal = ITradeLedger.TradeLedger_BalanceOverflow.selector;
        uint64 most = type(uint64).max;
        refuses(newcomer, 0, BALANCE_MAX + 1, abi.encodeWithSelector(refusal, newcomer.addr, 0, BALANCE_MAX + 1));
        refuses(newcomer, 0, most, abi.encodeWithSelector(refusal, newcomer.addr, 0, most));
    }

    function test_RevertGiven_TheMemberHasJoined() external {
        bytes4 refusal = ITradeLedger.TradeLedger_AlreadyJoined.selector;
        refuses(members[0], CAP, 1, abi.encodeWithSelector(refusal, members[0].addr));
        refuses(members[5], CAP, 1, abi.encodeWithSelector(refusal, members[5].addr));
    }

    function test_RevertGiven_NoLaneIsLeft() external {
        pretendJoined(ledger, 2 ** 26);
        refuses(newcomer, CAP, 1, abi.encodeWithSelector(ITradeLedger.TradeLedger_Full.selector));
    }

    function test_RevertWhen_TheSignatureIsOverAnotherCapOrSalt() external {
        (uint8 v, bytes32 r, bytes32 s) = signed(newcomer, CAP, 5, 0);
        vm.expectRevert(ERC3009.ERC3009InvalidSignature.selector);
        ledger.join(newcomer.addr, CAP + CENT, 5, 0, 0, UNTIL, v, r, s);
        vm.expectRevert(ERC3009.ERC3009InvalidSignature.selector);
        ledger.join(newcomer.addr, CAP, 5, bytes32(uint256(1)), 0, UNTIL, v, r, s);
        vm.expectRevert(ERC3009.ERC3009InvalidSignature.selector);
        ledger.join(newcomer.addr, CAP, 6, 0, 0, UNTIL, v, r, s);
        vm.expectRevert(ERC3009.ERC3009InvalidSignature.selector);
        ledger.join(stranger, CAP, 5, 0, 0, UNTIL, v, r, s);
    }

    function test_RevertWhen_TheTokenRefusesTheMoney() external {
        hostile().setBlocked(newcomer.addr);
        refuses(newcomer, CAP, 5, abi.encodeWithSelector(HostileEuro.Blocked.selector, newcomer.addr));
        assertEq(ledger.accounts(), 7);
        vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_NotAMember.selector, newcomer.addr));
        ledger.idOf(newcomer.addr);
    }

    function test_RevertWhen_TheTokenDeliversLess() external {
        hostile().setMood(HostileEuro.Mood.Stingy);
        refuses(newcomer, CAP, 500, abi.encodeWithSelector(ITradeLedger.TradeLedger_TokenShort.selector, 499, 500));
        assertEq(ledger.accounts(), 7);
    }

    function test_WhenTheTokenCallsBack() external {
        Account memory other = makeAccount("other");
        (uint8 v, bytes32 r, bytes32 s) = signed(other, CAP, 0, 0);
        bytes memory again = abi.encodeCall(ledger.join, (other.addr, CAP, 0, 0, 0, UNTIL, v, r, s));
        hostile().arm(address(ledger), again);
        join(newcomer, CAP, 5);
        assertFalse(hostile().wasLetIn());
        assertEq(
            hostile().answer(), abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
        );
        assertEq(ledger.accounts(), 8);
    }

    function test_WhenTheLastLaneIsTaken() external {
        pretendJoined(ledger, 2 ** 26 - 1);
        join(newcomer, CAP, 5);
        assertEq(ledger.idOf(newcomer.addr), 2 ** 26 - 1);
        assertEq(ledger.accounts(), 2 ** 26);
    }

    function test_WhenCapAndAmountAreTheHighest() external {
        join(newcomer, CAP_MAX, BALANCE_MAX);
        assertEq(ledger.capOf(newcomer.addr), CAP_MAX);
        assertEq(ledger.balanceOf(newcomer.addr), BALANCE_MAX);
    }

    function test_WhenCapAndAmountAreNothing() external {
        join(newcomer, 0, 0);
        assertEq(ledger.idOf(newcomer.addr), 7);
        assertEq(ledger.accountOf(7), newcomer.addr);
    }

    function testFuzz_WhenCapAndAmountAreSigned(uint64 cap, uint64 amount) external {
        cap = uint64(bound(cap, 0, CAP_MAX / CENT)) * CENT;
        amount = uint64(bound(amount, 0, BALANCE_MAX));
        (uint8 v, bytes32 r, bytes32 s) = signed(newcomer, cap, amount, 0);
        uint256 held = euro.balanceOf(address(ledger));
        vm.expectEmit(address(ledger));
        emit ITradeLedger.Joined(newcomer.addr, 7, cap, amount);
        vm.prank(stranger);
        ledger.join(newcomer.addr, cap, amount, 0, 0, UNTIL, v, r, s);
        assertEq(ledger.idOf(newcomer.addr), 7);
        assertEq(ledger.accountOf(7), newcomer.addr);
        assertEq(ledger.accounts(), 8);
        assertEq(ledger.balanceOf(newcomer.addr), amount);
        assertEq(ledger.capOf(newcomer.addr), cap);
        assertEq(euro.balanceOf(address(ledger)), held + amount);
        assertEq(ledger.balanceOf(members[5].addr), BALANCE);
        assertEq(ledger.capOf(members[5].addr), CAP);
        assertEq(ledger.balanceOf(grid), 0);
    }
}
