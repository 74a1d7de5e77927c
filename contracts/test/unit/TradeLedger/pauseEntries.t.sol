// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../../Trading.t.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

contract TradeLedger_PauseEntries_Unit_Test is Trading_Test {
    function test_RevertWhen_TheCallerIsNotAGuardian() external {
        bytes4 refusal = IAccessControl.AccessControlUnauthorizedAccount.selector;
        bytes32 role = ledger.GUARDIAN_ROLE();
        vm.startPrank(admin);
        ledger.grantRole(ledger.SETTLER_ROLE(), stranger);
        vm.stopPrank();
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(refusal, stranger, role));
            vm.prank(stranger);
            ledger.pauseEntries(i == 0);
        }
        assertFalse(ledger.entriesPaused());
    }

    function test_WhenTheCallerIsAGuardian() external {
        bool[4] memory paused = [true, true, false, false];
        for (uint256 i = 0; i < 4; ++i) {
            vm.expectEmit(address(ledger));
            emit ITradeLedger.EntriesPaused(paused[i]);
            vm.prank(admin);
            ledger.pauseEntries(paused[i]);
            assertEq(ledger.entriesPaused(), paused[i]);
        }
        settle(following(trade(1)));
        assertEq(ledger.accounts(), 7);
    }
}
