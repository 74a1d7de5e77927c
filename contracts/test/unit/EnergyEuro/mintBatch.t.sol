// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EnergyEuro} from "../../../src/EnergyEuro.sol";
import {Base_Test} from "../../Base.t.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

contract EnergyEuro_MintBatch_Unit_Test is Base_Test {
    address[] internal holders;
    uint256[] internal amounts;

    function test_RevertWhen_TheCallerIsNotAMinter() external {
        bytes32 role = euro.MINTER_ROLE();
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, stranger, role)
        );
        vm.prank(stranger);
        euro.mintBatch(holders, amounts);
    }

    function test_RevertWhen_HoldersAndAmountsDifferInNumber() external {
        holders = [driver.addr, stranger];
        amounts = [uint256(1)];
        vm.startPrank(admin);
        vm.expectRevert(abi.encodeWithSelector(EnergyEuro.EnergyEuro_LengthsDiffer.selector, 2, 1));
        euro.mintBatch(holders, amounts);
        amounts = [uint256(1), 2, 3];
        vm.expectRevert(abi.encodeWithSelector(EnergyEuro.EnergyEuro_LengthsDiffer.selector, 2, 3));
        euro.mintBatch(holders, amounts);
    }

    function test_RevertWhen_OneHolderIsNobody() external {
        holders = [driver.addr, address(0)];
        amounts = [uint256(1), 2];
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, address(0)));
        vm.prank(admin);
        euro.mintBatch(holders, amounts);
    }

    function test_WhenTheBatchIsEmpty() external {
        vm.prank(admin);
        euro.mintBatch(holders, amounts);
        assertEq(euro.totalSupply(), 0);
    }

    function testFuzz_WhenEachHolderHasAnAmount(uint64[3] calldata drawn) external {
        // One holder comes twice.
        holders = [driver.addr, stranger, driver.addr];
        amounts = [uint256(drawn[0]), drawn[1], drawn[2]];
        vm.prank(admin);
        euro.mintBatch(holders, amounts);
        assertEq(euro.balanceOf(driver.addr), uint256(drawn[0]) + drawn[2]);
        assertEq(euro.balanceOf(stranger), drawn[1]);
        assertEq(euro.totalSupply(), uint256(drawn[0]) + drawn[1] + drawn[2]);
    }
}
