// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vault_Test} from "../../Vault.t.sol";
import {IChargeVault} from "../../../src/interfaces/IChargeVault.sol";

contract ChargeVault_IsOpen_Unit_Test is Vault_Test {
    function test_GivenNothingWasOpened() external view {
        assertFalse(vault.isOpen(plain(), IChargeVault.Opening(0, 0, false)));
        assertFalse(vault.isOpen(plain(), IChargeVault.Opening(uint64(START), 0, true)));
    }

    function test_GivenASessionIsOpen() external {
        IChargeVault.Terms memory terms = plain();
        IChargeVault.Opening memory opening = open(terms);
        assertTrue(vault.isOpen(terms, opening));
        terms.purse += 1;
        assertFalse(vault.isOpen(terms, opening));
        terms.purse -= 1;
        opening.pageAtOpen += 1;
        assertFalse(vault.isOpen(terms, opening));
    }

    function test_GivenItWasClosed() external {
        IChargeVault.Terms memory terms = plain();
        IChargeVault.Opening memory opening = open(terms);
        close(terms, opening, 1, 1 hours);
        assertFalse(vault.isOpen(terms, opening));
    }
}
