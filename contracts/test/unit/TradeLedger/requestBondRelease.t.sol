// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../../Trading.t.sol";

contract TradeLedger_RequestBondRelease_Unit_Test is Trading_Test {
    function request() internal {
        vm.prank(admin);
        ledger.requestBondRelease();
    }

    function test_RevertWhen_TheCallerIsNotTheOwnerOfTheBond() external {
        bytes4 refusal = ITradeLedger.TradeLedger_NotYourBond.selector;
        vm.expectRevert(abi.encodeWithSelector(refusal, admin, address(0)));
        request();
        post(5);
        vm.expectRevert(abi.encodeWithSelector(refusal, stranger, admin));
        vm.prank(stranger);
        ledger.requestBondRelease();
    }

    function test_GivenTheOwnerLostTheRole() external {
        post(5);
        vm.startPrank(admin);
        ledger.renounceRole(ledger.SETTLER_ROLE(), admin);
        ledger.requestBondRelease();
        vm.warp(START + 1 weeks);
        ledger.releaseBond();
        vm.stopPrank();
        assertEq(euro.balanceOf(admin), 5);
    }

    function test_GivenTheOwnerAskedBefore() external {
        post(5);
        request();
        vm.warp(START + 1 weeks - 1);
        request();
        vm.warp(START + 2 weeks - 2);
        vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_BondNotReady.selector, START + 2 weeks - 1));
        vm.prank(admin);
        ledger.releaseBond();
    }

    function test_WhenTheCallerIsTheOwnerOfTheBond() external {
        post(5);
        vm.expectEmit(address(ledger));
        emit ITradeLedger.BondReleaseRequested(admin, START + 1 weeks);
        request();
        assertEq(ledger.bondOf(admin), 5);
        Run memory one = following("");
        vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_BondLeaving.selector, START + 1 weeks));
        settle(one);
    }
}
