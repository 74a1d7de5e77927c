// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../../Trading.t.sol";

contract TradeLedger_CancelBondRelease_Unit_Test is Trading_Test {
    function test_RevertWhen_TheCallerIsNotTheOwnerOfTheBond() external {
        bytes4 refusal = ITradeLedger.TradeLedger_NotYourBond.selector;
        vm.expectRevert(abi.encodeWithSelector(refusal, admin, address(0)));
        vm.prank(admin);
        ledger.cancelBondRelease();
        post(5);
        vm.expectRevert(abi.encodeWithSelector(refusal, stranger, admin));
        vm.prank(stranger);
        ledger.cancelBondRelease();
    }

    function test_WhenTheCallerIsTheOwnerOfTheBond() external {
        post(5);
        vm.startPrank(admin);
        ledger.requestBondRelease();
        vm.expectEmit(address(ledger));
        emit ITradeLedger.BondReleaseCancelled(admin);
        ledger.cancelBondRelease();
        vm.stopPrank();
        settle(following(""));
        vm.warp(START + 2 weeks);
        vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_BondNotReady.selector, 0));
        vm.prank(admin);
        ledger.releaseBond();
        assertEq(ledger.bondOf(admin), 5);
    }
}
