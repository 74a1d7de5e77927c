// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../Trading.t.sol";

/// @dev What a run may do, for any deltas: decided here from a model, and there by the contract.
contract TradeLedger_Fuzz_Test is Trading_Test {
    uint256 internal constant ACCOUNTS = 7;

    /// @dev Packs deltas by number; a slot in which nothing moves is left out.
    function packed(int256[ACCOUNTS] memory moved) internal pure returns (bytes memory deltas) {
        for (uint24 slot = 0; slot < 2; ++slot) {
            int40[4] memory micros;
            bool moves;
            for (uint256 i = 0; i < 4 && 4 * slot + i < ACCOUNTS; ++i) {
                micros[i] = int40(moved[4 * slot + i]);
                moves = moves || micros[i] != 0;
            }
            if (moves) {
                deltas = bytes.concat(deltas, entry(slot, micros[0], micros[1], micros[2], micros[3]));
            }
        }
    }

    /// @dev Lets each member pay some other account; a sum of zero within caps and funds.
    function payments(uint32[6] memory drawn, uint8 to) internal pure returns (int256[ACCOUNTS] memory moved) {
        for (uint256 i = 0; i < MEMBERS; ++i) {
            int256 paid = int256(uint256(drawn[i]) % (CAP + 1));
            moved[i] -= paid;
            moved[(i + 1 + to % 6) % ACCOUNTS] += paid;
        }
    }

    function balances() internal view returns (int256[ACCOUNTS] memory held) {
        for (uint32 id = 0; id < ACCOUNTS; ++id) {
            held[id] = int256(uint256(ledger.balanceOf(ledger.accountOf(id))));
        }
    }

    function refuses(int256[ACCOUNTS] memory moved, bytes memory refusal) internal {
        Run memory one = following(packed(moved));
        int256[ACCOUNTS] memory before = balances();
        vm.expectRevert(refusal);
        settle(one);
        assertEq(keccak256(abi.encode(balances())), keccak256(abi.encode(before)));
    }

    function testFuzz_ARunKeepsTheSumOfBalances(uint32[6] calldata drawn, uint8 to) external {
        int256[ACCOUNTS] memory moved = payments(drawn, to);
        int256[ACCOUNTS] memory before = balances();
        settle(following(packed(moved)));
        int256[ACCOUNTS] memory held = balances();
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            assertEq(held[i], before[i] + moved[i]);
        }
        assertEq(sumOfBalances(), MEMBERS * BALANCE);
        assertEq(euro.balanceOf(address(ledger)), MEMBERS * BALANCE);
        for (uint256 i = 0; i < MEMBERS; ++i) {
            assertEq(ledger.capOf(members[i].addr), CAP);
        }
    }

    function testFuzz_ASumThatIsNotZeroIsRefused(uint32[6] calldata drawn, uint8 to, int24 off) external {
        vm.assume(off != 0);
        int256[ACCOUNTS] memory moved = payments(drawn, to);
        // The grid operator gets more, or some member gets less and is not debited more than it may be.
        uint256 payee = off > 0 ? 6 : 0;
        moved[payee] += off;
        vm.assume(moved[payee] >= -int256(uint256(CAP)));
        refuses(moved, abi.encodeWithSelector(ITradeLedger.TradeLedger_NotZeroSum.selector, int256(off)));
    }

    function testFuzz_ADebitAboveTheCapIsRefused(uint256 who, uint256 debit, uint64 cents) external {
        who = bound(who, 1, MEMBERS - 1);
        uint64 cap = CAP + uint64(bound(cents, 0, (CAP_MAX - CAP) / CENT)) * CENT;
        debit = bound(debit, cap + 1, uint256(int256(type(int40).max)));
        vm.prank(members[who].addr);
        ledger.setCap(cap);
        int256[ACCOUNTS] memory moved;
        (moved[0], moved[who]) = (int256(debit), -int256(debit));
        address payer = members[who].addr;
        refuses(moved, abi.encodeWithSelector(ITradeLedger.TradeLedger_AboveCap.selector, payer, cap, debit));
    }

    function testFuzz_ADebitBeyondFundsIsRefused(uint256 who, uint256 debit) external {
        who = bound(who, 1, MEMBERS - 1);
        debit = bound(debit, BALANCE + 1, CAP_MAX);
        address payer = members[who].addr;
        vm.prank(payer);
        ledger.setCap(CAP_MAX);
        int256[ACCOUNTS] memory moved;
        (moved[0], moved[who]) = (int256(debit), -int256(debit));
        refuses(moved, abi.encodeWithSelector(ITradeLedger.TradeLedger_Underfunded.selector, payer, BALANCE, debit));
    }

    /// @dev Anything at all: near the bounds, or far beyond them.
    function testFuzz_ARunIsTakenIfTheModelTakesIt(int40[6] calldata drawn, uint8 wide, bool even) external {
        int256[ACCOUNTS] memory moved;
        int256[ACCOUNTS] memory before = balances();
        bool taken = true;
        int256 sum;
        for (uint256 i = 0; i < MEMBERS; ++i) {
            // One in eight draws is not brought near to the cap.
            int256 limit = wide % 8 == 0 ? int256(type(int40).max) : int256(uint256(CAP)) + 2;
            moved[i] = drawn[i] % limit;
            taken = taken && moved[i] >= -int256(uint256(CAP)) && before[i] + moved[i] >= 0;
            sum += moved[i];
        }
        moved[6] = even ? -sum : -sum / 2;
        vm.assume(moved[6] == int40(moved[6]));
        taken = taken && moved[6] >= 0 && sum + moved[6] == 0;
        Run memory one = following(packed(moved));
        vm.prank(admin);
        (bool done,) = address(ledger)
            .call(
                abi.encodeCall(
                    ledger.settle,
                    (one.run, one.interval, one.settledThrough, one.kind, one.amends, one.root, one.deltas)
                )
            );
        assertEq(done, taken);
        int256[ACCOUNTS] memory held = balances();
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            assertEq(held[i], before[i] + (taken ? moved[i] : int256(0)));
        }
    }
}
