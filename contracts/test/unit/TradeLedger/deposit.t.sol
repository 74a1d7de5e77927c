// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../../Trading.t.sol";
import {HostileEuro} from "../../tokens/HostileEuro.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

contract TradeLedger_Deposit_Unit_Test is Trading_Test {
    bytes32 internal constant SALT = keccak256("salt");

    /// @dev Pays in, expecting to be refused.
    function refuses(Account memory who, uint64 cap, uint64 amount, bytes memory refusal) internal {
        (uint8 v, bytes32 r, bytes32 s) = signed(who, cap, amount, SALT);
        vm.expectRevert(refusal);
        ledger.deposit(who.addr, amount, SALT, 0, UNTIL, v, r, s);
    }

    function test_RevertGiven_EntriesArePaused() external {
        vm.prank(admin);
        ledger.pauseEntries(true);
        refuses(members[0], CAP, 5, abi.encodeWithSelector(ITradeLedger.TradeLedger_EntriesPaused.selector));
    }

    function test_RevertGiven_TheAccountHasNotJoined() external {
        bytes4 refusal = ITradeLedger.TradeLedger_NotAMember.selector;
        refuses(driver, 0, 5, abi.encodeWithSelector(refusal, driver.addr));
    }

    function test_RevertWhen_TheBalanceWouldBeMoreThanALaneCanSay() external {
        fund(members[0].addr, 2 ** 44);
        uint64 room = BALANCE_MAX - BALANCE;
        bytes4 refusal = ITradeLedger.TradeLedger_BalanceOverflow.selector;
        refuses(members[0], CAP, room + 1, abi.encodeWithSelector(refusal, members[0].addr, BALANCE, room + 1));
        pay(members[0], CAP, room, SALT);
        assertEq(ledger.balanceOf(members[0].addr), BALANCE_MAX);
    }

    function test_RevertWhen_TheSignatureIsOverAnotherCap() external {
        refuses(members[0], CAP + CENT, 5, abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        vm.prank(members[0].addr);
        ledger.setCap(CAP + CENT);
        refuses(members[0], CAP, 5, abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector));
        pay(members[0], CAP + CENT, 5, SALT);
    }

    function test_RevertGiven_TheSignatureWasUsed() external {
        pay(members[0], CAP, 5, SALT);
        bytes32 nonce = keccak256(abi.encode(ledger.MEMBERSHIP_TYPEHASH(), members[0].addr, CAP, 5, SALT));
        refuses(
            members[0],
            CAP,
            5,
            abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, members[0].addr, nonce)
        );
    }

    function test_RevertWhen_TheTokenRefusesTheMoney() external {
        hostile().setBlocked(members[0].addr);
        refuses(members[0], CAP, 5, abi.encodeWithSelector(HostileEuro.Blocked.selector, members[0].addr));
        assertEq(ledger.balanceOf(members[0].addr), BALANCE);
    }

    function test_RevertWhen_TheTokenDeliversLess() external {
        hostile().setMood(HostileEuro.Mood.Stingy);
        refuses(members[0], CAP, 500, abi.encodeWithSelector(ITradeLedger.TradeLedger_TokenShort.selector, 499, 500));
        assertEq(ledger.balanceOf(members[0].addr), BALANCE);
    }

    function test_WhenTheTokenCallsBack() external {
        (uint8 v, bytes32 r, bytes32 s) = signed(members[1], CAP, 7, SALT);
        bytes memory again = abi.encodeCall(ledger.deposit, (members[1].addr, 7, SALT, 0, UNTIL, v, r, s));
        hostile().arm(address(ledger), again);
        pay(members[0], CAP, 5, SALT);
        assertFalse(hostile().wasLetIn());
        assertEq(
            hostile().answer(), abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
        );
        assertEq(ledger.balanceOf(members[0].addr), BALANCE + 5);
        assertEq(ledger.balanceOf(members[1].addr), BALANCE);
    }

    function testFuzz_WhenTheAmountIsSigned(uint64 amount, uint256 who, bytes32 salt) external {
        amount = uint64(bound(amount, 0, BALANCE_MAX - BALANCE));
        who = bound(who, 0, MEMBERS - 1);
        vm.assume(salt != 0 || amount != BALANCE);
        fund(members[who].addr, amount);
        (uint8 v, bytes32 r, bytes32 s) = signed(members[who], CAP, amount, salt);
        uint256 held = euro.balanceOf(address(ledger));
        vm.expectEmit(address(ledger));
        emit ITradeLedger.Deposited(members[who].addr, amount);
        vm.prank(stranger);
        ledger.deposit(members[who].addr, amount, salt, 0, UNTIL, v, r, s);
        for (uint256 i = 0; i < MEMBERS; ++i) {
            assertEq(ledger.balanceOf(members[i].addr), BALANCE + (i == who ? amount : 0));
            assertEq(ledger.capOf(members[i].addr), CAP);
        }
        assertEq(euro.balanceOf(address(ledger)), held + amount);
    }
}
