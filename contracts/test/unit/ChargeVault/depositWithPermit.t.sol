// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {Vault_Test} from "../../Vault.t.sol";
import {IChargeVault} from "../../../src/interfaces/IChargeVault.sol";

contract ChargeVault_DepositWithPermit_Unit_Test is Vault_Test {
    bytes32 internal constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
    uint256 internal constant UNTIL = type(uint40).max;

    function setUp() public override {
        super.setUp();
        give(driver.addr, DEPOSIT);
    }

    function permit(Account memory holder) internal view returns (uint8, bytes32, bytes32) {
        bytes32 terms = keccak256(abi.encode(PERMIT_TYPEHASH, holder.addr, address(vault), DEPOSIT, 0, UNTIL));
        return vm.sign(holder.key, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), terms)));
    }

    function expectNotAllowed() internal {
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, address(vault), 0, DEPOSIT)
        );
    }

    function test_RevertWhen_ThePermitIsNoPermit() external {
        expectNotAllowed();
        vm.prank(driver.addr);
        vault.depositWithPermit(0, DEPOSIT, UNTIL, 27, bytes32(0), bytes32(0));
    }

    function test_RevertWhen_ThePermitIsOfSomebodyElse() external {
        (uint8 v, bytes32 r, bytes32 s) = permit(driver);
        give(stranger, DEPOSIT);
        expectNotAllowed();
        vm.prank(stranger);
        vault.depositWithPermit(0, DEPOSIT, UNTIL, v, r, s);
    }

    function test_GivenSomebodyBroughtThePermitBefore() external {
        (uint8 v, bytes32 r, bytes32 s) = permit(driver);
        vm.prank(stranger);
        token.permit(driver.addr, address(vault), DEPOSIT, UNTIL, v, r, s);
        vm.prank(driver.addr);
        vault.depositWithPermit(0, DEPOSIT, UNTIL, v, r, s);
        assertPurse(driver.addr, 0, DEPOSIT, 0);
    }

    function test_WhenThePermitIsGood() external {
        (uint8 v, bytes32 r, bytes32 s) = permit(driver);
        vm.expectEmit(address(vault));
        emit IChargeVault.Deposited(driver.addr, 2, DEPOSIT);
        vm.prank(driver.addr);
        vault.depositWithPermit(2, DEPOSIT, UNTIL, v, r, s);
        assertPurse(driver.addr, 2, DEPOSIT, 0);
        assertEq(token.allowance(driver.addr, address(vault)), 0);
        assertEq(token.balanceOf(driver.addr), 0);
    }
}
