// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base_Test} from "../../Base.t.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

contract EnergyEuro_Mint_Unit_Test is Base_Test {
    function test_RevertWhen_TheCallerIsNotAMinter() external {
        bytes32 role = euro.MINTER_ROLE();
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, stranger, role)
        );
        vm.prank(stranger);
        euro.mint(driver.addr, 1);
    }

    function test_RevertWhen_TheHolderIsNobody() external {
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, address(0)));
        vm.prank(admin);
        euro.mint(address(0), 1);
    }

    function testFuzz_WhenTheHolderIsSomebody(uint128 first, uint128 second) external {
        vm.startPrank(admin);
        euro.mint(driver.addr, first);
        vm.expectEmit(address(euro));
        emit IERC20.Transfer(address(0), driver.addr, second);
        euro.mint(driver.addr, second);
        assertEq(euro.balanceOf(driver.addr), uint256(first) + second);
        assertEq(euro.totalSupply(), uint256(first) + second);
    }
}
