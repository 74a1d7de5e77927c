// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Vault_Test} from "../../Vault.t.sol";
import {IChargeVault} from "../../../src/interfaces/IChargeVault.sol";

contract ChargeVault_CloseCosigned_Unit_Test is Vault_Test {
    IChargeVault.Terms internal terms;
    IChargeVault.Opening internal opening;

    function setUp() public override {
        super.setUp();
        terms = plain();
        opening = open(terms);
        vm.warp(START + 1 hours);
    }

    function attempt(uint64 total, bytes memory signature) internal {
        this.closeCosigned(total, signature);
    }

    function closeCosigned(uint64 total, bytes calldata signature) external {
        bytes memory payload = record(terms.idTag, 1, 5500);
        vault.closeCosigned(terms, opening, payload, stamp(STATION, payload), total, signature);
    }

    function attempt(uint64 total) internal {
        attempt(total, signTotal(driver, idOf(terms), total));
    }

    function test_RevertWhen_TheTotalIsZero() external {
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_TotalTooSmall.selector, 0, 1));
        attempt(0);
    }

    function test_RevertWhen_SomebodyElseSignedTheTotal() external {
        bytes memory signature = signTotal(other, idOf(terms), CHARGE);
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_NotTheDriver.selector, other.addr, driver.addr));
        attempt(CHARGE, signature);
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_NotTheDriver.selector, address(0), driver.addr));
        attempt(CHARGE, "");
    }

    function test_RevertWhen_TheDriverSignedAnotherTotal() external {
        bytes memory signature = signTotal(driver, idOf(terms), CHARGE + 1);
        vm.expectPartialRevert(IChargeVault.ChargeVault_NotTheDriver.selector);
        attempt(CHARGE + 2, signature);
    }

    function test_RevertWhen_TheTotalIsBelowWhatTheRecordComesTo() external {
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_TotalTooSmall.selector, CHARGE - 1, CHARGE));
        attempt(CHARGE - 1);
        attempt(CHARGE);
        assertEq(vault.stationEarned(STATION), CHARGE);
    }

    function test_GivenTheTokenCallsBack() external {
        bytes memory payload = record(terms.idTag, 1, 5500);
        bytes memory again = abi.encodeCall(
            IChargeVault.closeCosigned,
            (terms, opening, payload, stamp(STATION, payload), CHARGE, signTotal(driver, idOf(terms), CHARGE))
        );
        token.arm(address(vault), again);
        attempt(CHARGE);
        assertFalse(token.wasLetIn());
        assertEq(bytes4(token.answer()), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
    }

    function test_WhenTheTotalIsAboveTheDeposit() external {
        vm.expectEmit(address(vault));
        emit IChargeVault.SessionClosed(idOf(terms), driver.addr, operator, 5500, DEPOSIT, 0, 1, true);
        attempt(DEPOSIT + 1);
        assertEq(vault.stationEarned(STATION), DEPOSIT);
        assertEq(token.balanceOf(driver.addr), 0);
    }

    function test_WhenTheTotalCoversTheRecord() external {
        vm.expectEmit(address(vault));
        emit IChargeVault.SessionClosed(idOf(terms), driver.addr, operator, 5500, CHARGE + 1, REFUND - 1, 1, true);
        attempt(CHARGE + 1);
        assertEq(vault.stationEarned(STATION), CHARGE + 1);
        assertEq(token.balanceOf(driver.addr), REFUND - 1);
    }
}
