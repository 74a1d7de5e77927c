// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../../Trading.t.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

contract TradeLedger_AnchorCheckpoint_Unit_Test is Trading_Test {
    address internal second = makeAddr("second settler");
    bytes32 internal settling;
    bytes32[2] internal signature = [keccak256("r"), keccak256("s")];

    function setUp() public override {
        super.setUp();
        settling = ledger.SETTLER_ROLE();
        vm.prank(admin);
        ledger.grantRole(settling, second);
    }

    function anchor(address caller, uint64 size) internal {
        vm.prank(caller);
        ledger.anchorCheckpoint(size, ROOT, START, signature);
    }

    function revoke(address settler) internal {
        vm.prank(admin);
        ledger.revokeRole(settling, settler);
    }

    function refusesRole(address caller) internal {
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, caller, settling)
        );
        anchor(caller, 1000);
    }

    function test_RevertWhen_TheCallerIsNoSettler() external {
        refusesRole(stranger);
        refusesRole(members[0].addr);
    }

    function test_RevertGiven_TheSettlerWhoAnchoredLastLostTheRole() external {
        anchor(second, 1);
        revoke(second);
        refusesRole(second);
        anchor(admin, 2);
        vm.prank(admin);
        ledger.renounceRole(settling, admin);
        refusesRole(admin);
    }

    function test_RevertWhen_TheLogDidNotGrow() external {
        bytes4 refusal = ITradeLedger.TradeLedger_LogDidNotGrow.selector;
        vm.expectRevert(abi.encodeWithSelector(refusal, 0, 0));
        anchor(admin, 0);
        anchor(admin, 5);
        vm.expectRevert(abi.encodeWithSelector(refusal, 5, 5));
        anchor(admin, 5);
        vm.expectRevert(abi.encodeWithSelector(refusal, 4, 5));
        anchor(second, 4);
    }

    function test_RevertWhen_TheLogIsLargerThanAnyLog() external {
        vm.expectRevert(abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, 48, 2 ** 48));
        anchor(admin, 2 ** 48);
        anchor(admin, 2 ** 48 - 1);
        assertEq(ledger.logSize(), 2 ** 48 - 1);
    }

    function test_GivenEntriesArePaused() external {
        vm.prank(admin);
        ledger.pauseEntries(true);
        anchor(admin, 5);
        assertEq(ledger.logSize(), 5);
    }

    function test_GivenAnotherSettlerAnchoredLast() external {
        anchor(admin, 5);
        anchor(second, 6);
        anchor(admin, 7);
        anchor(admin, 8);
        assertEq(ledger.logSize(), 8);
    }

    function test_GivenASettlerWhoNeverAnchoredLostTheRole() external {
        anchor(admin, 5);
        revoke(second);
        bytes32 guarding = ledger.GUARDIAN_ROLE();
        vm.prank(admin);
        ledger.revokeRole(guarding, admin);
        anchor(admin, 6);
        assertEq(ledger.logSize(), 6);
        refusesRole(second);
    }

    function test_WhenTheLogGrew() external {
        vm.roll(4321);
        vm.expectEmit(address(ledger));
        emit ITradeLedger.CheckpointAnchored(5, ROOT);
        anchor(admin, 5);
        assertEq(ledger.logSize(), 5);
        assertEq(ledger.logBlock(), 4321);
        vm.roll(4399);
        anchor(admin, 6);
        assertEq(ledger.logSize(), 6);
        assertEq(ledger.logBlock(), 4399);
    }
}
