// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vault_Test} from "../../Vault.t.sol";
import {IChargeVault} from "../../../src/interfaces/IChargeVault.sol";

contract ChargeVault_Constructor_Unit_Test is Vault_Test {
    function test_ItKeepsTokenAndRegistry() external view {
        assertEq(vault.TOKEN(), address(token));
        assertEq(vault.REGISTRY(), address(registry));
    }

    function test_ItNamesTheTypesThatAreSigned() external view {
        assertEq(vault.TERMS_TYPEHASH(), TERMS_TYPEHASH);
        assertEq(vault.TOP_UP_TYPEHASH(), TOP_UP_TYPEHASH);
        assertEq(vault.TOTAL_TYPEHASH(), TOTAL_TYPEHASH);
        assertEq(vault.READING_TYPEHASH(), READING_TYPEHASH);
        IChargeVault.Terms memory terms = plain();
        assertEq(vault.hashTerms(terms), idOf(terms));
    }
}
