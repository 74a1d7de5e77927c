// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vault_Test} from "../../Vault.t.sol";
import {IChargeVault} from "../../../src/interfaces/IChargeVault.sol";

contract ChargeVault_OpenBatch_Unit_Test is Vault_Test {
    IChargeVault.SignedTerms[] internal orders;

    function setUp() public override {
        super.setUp();
        IChargeVault.Terms memory terms = standing(1);
        stand(driver.addr, 0, DEPOSIT);
        orders.push(IChargeVault.SignedTerms(terms, sign(driver.key, idOf(terms))));
        terms.driver = other.addr;
        stand(other.addr, 0, DEPOSIT);
        orders.push(IChargeVault.SignedTerms(terms, sign(other.key, idOf(terms))));
    }

    function test_WhenThereAreNoOrders() external {
        vm.recordLogs();
        vault.openBatch(new IChargeVault.SignedTerms[](0));
        assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_RevertWhen_OneOfTheOrdersIsNotSignedByItsDriver() external {
        orders[1].signature = sign(driver.key, idOf(orders[1].terms));
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_NotTheDriver.selector, driver.addr, other.addr));
        vault.openBatch(orders);
    }

    function test_WhenEachIsSignedByItsDriver() external {
        vault.openBatch(orders);
        IChargeVault.Opening memory opening = IChargeVault.Opening(uint64(START), 0, false);
        assertTrue(vault.isOpen(orders[0].terms, opening));
        assertTrue(vault.isOpen(orders[1].terms, opening));
        assertPurse(driver.addr, 0, 0, DEPOSIT);
        assertPurse(other.addr, 0, 0, DEPOSIT);
    }
}
