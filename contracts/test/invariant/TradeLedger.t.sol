// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Trading_Test} from "../Trading.t.sol";
import {TradeLedgerHandler} from "./handlers/TradeLedgerHandler.sol";

contract TradeLedger_Invariant_Test is Trading_Test {
    TradeLedgerHandler internal handler;

    function setUp() public override {
        super.setUp();
        handler = new TradeLedgerHandler(euro, ledger, admin, START);
        targetContract(address(handler));
    }

    function assertKept(TradeLedgerHandler.Law law) internal view {
        assertEq(handler.broken(law), 0, handler.breach());
    }

    function invariant_4_TokensAreBalancesAndBond() external view {
        uint256 owed = sumOfBalances() + ledger.bondOf(admin);
        assertGe(euro.balanceOf(address(ledger)), owed);
        assertEq(euro.balanceOf(address(ledger)) - handler.donated(), owed);
    }

    function invariant_5_RunsKeepTheSumOfBalances() external view {
        assertEq(sumOfBalances(), handler.entered() - handler.left());
        assertKept(TradeLedgerHandler.Law.Sums);
    }

    function invariant_6_NoLaneBorrowsFromAnother() external view {
        assertEq(ledger.accounts(), MEMBERS + 1);
        for (uint32 id = 0; id <= MEMBERS; ++id) {
            address account = ledger.accountOf(id);
            assertEq(ledger.balanceOf(account), handler.balances(id));
            assertEq(ledger.capOf(account), handler.caps(id));
        }
    }

    function invariant_7_NobodyIsDebitedAboveCapOrFunds() external view {
        assertKept(TradeLedgerHandler.Law.Debits);
    }

    function invariant_8_RunsAreConsecutive() external view {
        assertEq(ledger.lastRun(), handler.lastRun());
        assertKept(TradeLedgerHandler.Law.Runs);
    }

    function invariant_9_AnIntervalHasOneFirstSettlement() external view {
        for (uint64 run = 1; run <= handler.lastRun(); ++run) {
            uint64 interval = handler.intervalOf(run);
            assertEq(handler.firsts(interval), 1);
            assertTrue(ledger.isSettled(interval));
        }
        assertKept(TradeLedgerHandler.Law.Firsts);
    }

    function invariant_10_ExitsOvertakeNoIntervalAndPayWhatIsThere() external view {
        assertKept(TradeLedgerHandler.Law.Exits);
    }

    function invariant_11_LowerCapsOvertakeNoInterval() external view {
        assertKept(TradeLedgerHandler.Law.Caps);
    }

    function invariant_12_TheBondStaysForAWeekWithoutRuns() external view {
        assertEq(ledger.bondOf(admin), handler.bond());
        assertKept(TradeLedgerHandler.Law.Bond);
    }

    function invariant_13_EveryRootThatIsKeptProves() external view {
        bytes32[] memory nothing;
        for (uint64 run = 1; run <= handler.lastRun(); ++run) {
            assertEq(ledger.rootOf(run), handler.rootOf(run));
            assertTrue(ledger.verifyLeaf(run, handler.rootOf(run), nothing));
        }
    }

    /// @dev Laws 10 and 11, in the end: whatever has happened, everybody leaves with all that is
    /// theirs and every lower cap counts, while entries are paused.
    function afterInvariant() external {
        vm.warp(handler.nowS());
        vm.prank(admin);
        ledger.pauseEntries(true);
        for (uint32 id = 0; id <= MEMBERS; ++id) {
            address account = ledger.accountOf(id);
            vm.startPrank(account);
            if (ledger.exitRequestedAt(account) != 0) ledger.cancelExit();
            if (ledger.balanceOf(account) != 0) ledger.requestExit(ledger.balanceOf(account));
            vm.stopPrank();
        }
        vm.warp(uint256(handler.nowS()) + 1 weeks);
        for (uint32 id = 0; id <= MEMBERS; ++id) {
            address account = ledger.accountOf(id);
            uint256 due = euro.balanceOf(account) + ledger.balanceOf(account);
            (uint64 cap, uint64 askedAt) = ledger.loweringOf(account);
            if (askedAt != 0) {
                ledger.applyCap(account);
                assertEq(ledger.capOf(account), cap);
            }
            if (ledger.exitRequestedAt(account) == 0) continue;
            vm.prank(account);
            ledger.exit();
            assertEq(euro.balanceOf(account), due);
        }
        assertEq(sumOfBalances(), 0);
        assertEq(euro.balanceOf(address(ledger)), handler.donated() + handler.bond());
    }
}
