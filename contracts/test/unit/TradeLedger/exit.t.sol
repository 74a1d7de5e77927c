// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../../Trading.t.sol";
import {HostileEuro} from "../../tokens/HostileEuro.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

contract TradeLedger_Exit_Unit_Test is Trading_Test {
    address internal member;
    uint256 internal had;

    function setUp() public override {
        super.setUp();
        member = members[1].addr;
        had = euro.balanceOf(member);
    }

    function ask(address who, uint64 amount) internal {
        vm.prank(who);
        ledger.requestExit(amount);
    }

    /// @dev Asks for 700 and lets a week pass.
    function askAndWait() internal {
        ask(member, 700);
        vm.warp(START + 1 weeks);
    }

    function depart() internal {
        vm.prank(member);
        ledger.exit();
    }

    function assertWaits() internal view {
        assertEq(ledger.exitOf(member), 700);
        assertEq(ledger.balanceOf(member), BALANCE);
        assertEq(euro.balanceOf(member), had);
    }

    function assertPaid(uint64 amount) internal view {
        assertEq(ledger.exitOf(member), 0);
        assertEq(ledger.exitRequestedAt(member), 0);
        assertEq(euro.balanceOf(member), had + amount);
        assertEq(euro.balanceOf(address(ledger)), sumOfBalances());
    }

    function test_RevertGiven_NoExitWaits() external {
        vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_NoExit.selector, member));
        depart();
        vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_NoExit.selector, address(this)));
        ledger.exit();
    }

    function test_RevertGiven_TheExitIsNotReady() external {
        ask(member, 700);
        bytes memory refusal =
            abi.encodeWithSelector(ITradeLedger.TradeLedger_ExitNotReady.selector, member, START + 1 weeks);
        vm.expectRevert(refusal);
        depart();
        vm.warp(START + 1 weeks - 1);
        vm.expectRevert(refusal);
        depart();
        assertWaits();
    }

    function test_GivenItsIntervalIsSettledAndTwoHavePassed() external {
        ask(member, 700);
        vm.warp(START + 2 * INTERVAL_S);
        settleThrough(START / INTERVAL_S);
        vm.expectEmit(address(ledger));
        emit ITradeLedger.Exited(member, 700);
        depart();
        assertPaid(700);
        assertEq(ledger.balanceOf(member), BALANCE - 700);
        assertEq(ledger.capOf(member), CAP);
        vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_NoExit.selector, member));
        depart();
    }

    function testFuzz_GivenAWeekHasPassedAndEntriesArePaused(uint64 amount) external {
        amount = uint64(bound(amount, 1, BALANCE));
        ask(member, amount);
        vm.prank(admin);
        ledger.pauseEntries(true);
        vm.warp(START + 1 weeks);
        depart();
        assertPaid(amount);
        assertEq(ledger.balanceOf(member), BALANCE - amount);
    }

    function test_GivenIntervalsSinceHaveLeftLess() external {
        ask(member, BALANCE);
        settle(following(trade(600)));
        vm.warp(START + 1 weeks);
        vm.expectEmit(address(ledger));
        emit ITradeLedger.Exited(member, BALANCE - 600);
        depart();
        assertPaid(BALANCE - 600);
        assertEq(ledger.balanceOf(member), 0);
    }

    function test_GivenIntervalsSinceHaveLeftNothing() external {
        ask(member, 700);
        for (uint256 i = 0; i < BALANCE / CAP; ++i) {
            settle(following(trade(int40(uint40(CAP)))));
        }
        vm.warp(START + 1 weeks);
        vm.expectEmit(address(ledger));
        emit ITradeLedger.Exited(member, 0);
        depart();
        assertPaid(0);
    }

    function test_GivenAnInstitutionAsked() external {
        settle(following(abi.encodePacked(entry(0, -1000, 0, 0, 0), entry(1, 0, 0, 1000, 0))));
        ask(grid, 400);
        vm.warp(START + 1 weeks);
        vm.prank(grid);
        ledger.exit();
        assertEq(euro.balanceOf(grid), 400);
        // An institution is debited beyond a cap; a member with a cap of 0 is not.
        settle(following(abi.encodePacked(entry(0, 600, 0, 0, 0), entry(1, 0, 0, -600, 0))));
        assertEq(ledger.balanceOf(grid), 0);
    }

    function test_RevertWhen_TheTokenRefusesTheMember() external {
        askAndWait();
        hostile().setBlocked(member);
        vm.expectRevert(abi.encodeWithSelector(HostileEuro.Blocked.selector, member));
        depart();
        assertWaits();
        hostile().setMood(HostileEuro.Mood.Honest);
        depart();
        assertPaid(700);
    }

    function test_RevertWhen_TheTokenSaysThatItDidNotPay() external {
        askAndWait();
        hostile().setMood(HostileEuro.Mood.Refusing);
        vm.expectRevert(abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(euro)));
        depart();
        assertWaits();
    }

    function test_RevertWhen_TheTokenBurnsItsGas() external {
        askAndWait();
        hostile().setMood(HostileEuro.Mood.Greedy);
        vm.prank(member);
        (bool done,) = address(ledger).call{gas: 1_000_000}(abi.encodeCall(ledger.exit, ()));
        assertFalse(done);
        assertWaits();
    }

    function test_WhenTheTokenSaysNothing() external {
        askAndWait();
        hostile().setMood(HostileEuro.Mood.Silent);
        depart();
        assertPaid(700);
    }

    function test_WhenTheTokenCallsBack() external {
        askAndWait();
        hostile().arm(address(ledger), abi.encodeCall(ledger.exit, ()));
        depart();
        assertFalse(hostile().wasLetIn());
        assertEq(
            hostile().answer(), abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
        );
        assertPaid(700);
    }
}
