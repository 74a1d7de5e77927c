// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../../src/interfaces/ITradeLedger.sol";
import {HostileEuro} from "../../tokens/HostileEuro.sol";
import {Trading_Test} from "../../Trading.t.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

contract TradeLedger_PostBond_Unit_Test is Trading_Test {
    function refuses(address caller, uint64 amount, bytes memory refusal) internal {
        vm.expectRevert(refusal);
        vm.prank(caller);
        ledger.postBond(amount);
    }

    function allow(uint256 amount) internal {
        fund(admin, amount);
        vm.prank(admin);
        euro.approve(address(ledger), amount);
    }

    function test_RevertWhen_TheCallerIsNotASettler() external {
        bytes4 refusal = IAccessControl.AccessControlUnauthorizedAccount.selector;
        refuses(stranger, 1, abi.encodeWithSelector(refusal, stranger, ledger.SETTLER_ROLE()));
        refuses(members[0].addr, 1, abi.encodeWithSelector(refusal, members[0].addr, ledger.SETTLER_ROLE()));
    }

    function test_RevertWhen_NothingIsAdded() external {
        refuses(admin, 0, abi.encodeWithSelector(ITradeLedger.TradeLedger_EmptyBond.selector));
    }

    function test_RevertGiven_AnotherSettlerPostedTheBond() external {
        post(5);
        vm.startPrank(admin);
        ledger.grantRole(ledger.SETTLER_ROLE(), stranger);
        vm.stopPrank();
        refuses(stranger, 1, abi.encodeWithSelector(ITradeLedger.TradeLedger_NotYourBond.selector, stranger, admin));
    }

    function test_RevertGiven_TheSettlerDidNotLetTheLedgerTakeTheMoney() external {
        fund(admin, 5);
        bytes4 refusal = IERC20Errors.ERC20InsufficientAllowance.selector;
        refuses(admin, 5, abi.encodeWithSelector(refusal, address(ledger), 0, 5));
        assertEq(ledger.bondOf(admin), 0);
    }

    function test_RevertWhen_TheBondWouldBeLargerThanAnyBond() external {
        bytes4 refusal = SafeCast.SafeCastOverflowedUintDowncast.selector;
        allow(2 ** 49);
        refuses(admin, 2 ** 48, abi.encodeWithSelector(refusal, 48, 2 ** 48));
        vm.prank(admin);
        ledger.postBond(2 ** 48 - 1);
        refuses(admin, 1, abi.encodeWithSelector(refusal, 48, 2 ** 48));
        assertEq(ledger.bondOf(admin), 2 ** 48 - 1);
    }

    function test_RevertWhen_TheTokenDeliversLess() external {
        allow(500);
        hostile().setMood(HostileEuro.Mood.Charging);
        refuses(admin, 500, abi.encodeWithSelector(ITradeLedger.TradeLedger_TokenShort.selector, 495, 500));
        assertEq(ledger.bondOf(admin), 0);
    }

    function test_WhenTheTokenCallsBack() external {
        hostile().arm(address(ledger), abi.encodeCall(ledger.releaseBond, ()));
        allow(5);
        vm.prank(admin);
        ledger.postBond(5);
        assertFalse(hostile().wasLetIn());
        assertEq(
            hostile().answer(), abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
        );
        assertEq(ledger.bondOf(admin), 5);
    }

    function testFuzz_GivenThereIsNoBondOrOneOfTheCaller(uint40 first, uint40 second) external {
        vm.assume(first != 0 && second != 0);
        post(first);
        assertEq(ledger.bondOf(admin), first);
        allow(second);
        vm.expectEmit(address(ledger));
        emit ITradeLedger.BondPosted(admin, second);
        vm.prank(admin);
        ledger.postBond(second);
        uint256 bond = uint256(first) + second;
        assertEq(ledger.bondOf(admin), bond);
        assertEq(ledger.bondOf(stranger), 0);
        assertEq(euro.balanceOf(address(ledger)), sumOfBalances() + bond);
    }
}
