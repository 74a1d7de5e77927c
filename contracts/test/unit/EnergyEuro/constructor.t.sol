// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base_Test} from "../../Base.t.sol";

contract EnergyEuro_Constructor_Unit_Test is Base_Test {
    function test_ItNamesTheTokenAndItsUnit() external view {
        assertEq(euro.name(), "Energy Euro");
        assertEq(euro.symbol(), "EEUR");
        assertEq(euro.decimals(), 6);
    }

    function test_ItMakesTheAdminAdministratorAndMinterAndNobodyElse() external view {
        assertTrue(euro.hasRole(euro.DEFAULT_ADMIN_ROLE(), admin));
        assertTrue(euro.hasRole(euro.MINTER_ROLE(), admin));
        assertEq(euro.MINTER_ROLE(), keccak256("MINTER_ROLE"));
        assertFalse(euro.hasRole(euro.DEFAULT_ADMIN_ROLE(), address(this)));
        assertFalse(euro.hasRole(euro.MINTER_ROLE(), address(this)));
    }

    function test_ItMakesNoMoney() external view {
        assertEq(euro.totalSupply(), 0);
        assertEq(euro.balanceOf(admin), 0);
    }

    function test_ItSetsTheDomainThatDriversSignUnder() external view {
        bytes32 kind = keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        bytes32 name = keccak256("Energy Euro");
        bytes32 domain = keccak256(abi.encode(kind, name, keccak256("1"), block.chainid, address(euro)));
        assertEq(euro.DOMAIN_SEPARATOR(), domain);
    }
}
