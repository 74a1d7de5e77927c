// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../../Trading.t.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

contract TradeLedger_JoinInstitution_Unit_Test is Trading_Test {
    address internal state = makeAddr("state");

    function refuses(address caller, address institution, bytes memory refusal) internal {
        vm.expectRevert(refusal);
        vm.prank(caller);
        ledger.joinInstitution(institution);
    }

    function test_RevertWhen_TheCallerIsNotTheAdministrator() external {
        bytes4 refusal = IAccessControl.AccessControlUnauthorizedAccount.selector;
        vm.startPrank(admin);
        ledger.grantRole(ledger.SETTLER_ROLE(), stranger);
        ledger.grantRole(ledger.GUARDIAN_ROLE(), stranger);
        vm.stopPrank();
        refuses(stranger, state, abi.encodeWithSelector(refusal, stranger, bytes32(0)));
        refuses(members[0].addr, state, abi.encodeWithSelector(refusal, members[0].addr, bytes32(0)));
    }

    function test_RevertGiven_EntriesArePaused() external {
        vm.prank(admin);
        ledger.pauseEntries(true);
        refuses(admin, state, abi.encodeWithSelector(ITradeLedger.TradeLedger_EntriesPaused.selector));
    }

    function test_RevertGiven_TheAccountHasJoined() external {
        bytes4 refusal = ITradeLedger.TradeLedger_AlreadyJoined.selector;
        refuses(admin, grid, abi.encodeWithSelector(refusal, grid));
        refuses(admin, members[0].addr, abi.encodeWithSelector(refusal, members[0].addr));
    }

    function test_RevertGiven_NoLaneIsLeft() external {
        pretendJoined(ledger, 2 ** 26);
        refuses(admin, state, abi.encodeWithSelector(ITradeLedger.TradeLedger_Full.selector));
    }

    function test_GivenTheAccountHasNotJoined() external {
        vm.expectEmit(address(ledger));
        emit ITradeLedger.InstitutionJoined(state, 7);
        vm.prank(admin);
        ledger.joinInstitution(state);
        assertEq(ledger.idOf(state), 7);
        assertEq(ledger.accountOf(7), state);
        assertEq(ledger.accounts(), 8);
        assertEq(ledger.balanceOf(state), 0);
        assertEq(ledger.capOf(state), 0);
    }
}
