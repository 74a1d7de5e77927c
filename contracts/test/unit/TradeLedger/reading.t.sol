// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../../Trading.t.sol";

contract TradeLedger_Reading_Unit_Test is Trading_Test {
    function testFuzz_GivenAnAccountHasNotJoined(address account) external {
        vm.assume(account != grid);
        for (uint256 i = 0; i < MEMBERS; ++i) {
            vm.assume(account != members[i].addr);
        }
        assertEq(ledger.balanceOf(account), 0);
        assertEq(ledger.capOf(account), 0);
        assertEq(ledger.exitOf(account), 0);
        assertEq(ledger.exitRequestedAt(account), 0);
        (uint64 cap, uint64 askedAt) = ledger.loweringOf(account);
        assertEq(cap, 0);
        assertEq(askedAt, 0);
        assertEq(ledger.bondOf(account), 0);
        vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_NotAMember.selector, account));
        ledger.idOf(account);
    }

    function testFuzz_GivenANumberIsNotGivenYet(uint32 id) external view {
        vm.assume(id > GRID_ID);
        assertEq(ledger.accountOf(id), address(0));
    }

    function test_GivenSevenAccountsHaveJoined() external view {
        assertEq(ledger.accounts(), 7);
        for (uint32 id = 0; id < MEMBERS; ++id) {
            assertEq(ledger.accountOf(id), members[id].addr);
            assertEq(ledger.idOf(members[id].addr), id);
            assertEq(ledger.balanceOf(members[id].addr), BALANCE);
            assertEq(ledger.capOf(members[id].addr), CAP);
        }
        assertEq(ledger.accountOf(GRID_ID), grid);
        assertEq(ledger.idOf(grid), GRID_ID);
    }
}
