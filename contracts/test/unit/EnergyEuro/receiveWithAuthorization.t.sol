// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base_Test} from "../../Base.t.sol";
import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";

/// @dev What the vault and the ledger rely on when they take a driver's or a member's money.
contract EnergyEuro_ReceiveWithAuthorization_Unit_Test is Base_Test {
    bytes32 internal constant NONCE = keccak256("nonce");
    uint256 internal constant UNTIL = type(uint40).max;

    address internal payee = makeAddr("payee");

    function setUp() public override {
        super.setUp();
        vm.prank(admin);
        euro.mint(driver.addr, 100);
    }

    function take(address caller, uint256 amount, uint8 v, bytes32 r, bytes32 s) internal {
        vm.prank(caller);
        euro.receiveWithAuthorization(driver.addr, payee, amount, 0, UNTIL, NONCE, v, r, s);
    }

    function test_RevertWhen_TheSignerIsNotThePayer() external {
        (uint8 v, bytes32 r, bytes32 s) = authorize(address(euro), makeAccount("thief"), payee, 100, NONCE);
        vm.expectRevert(ERC3009.ERC3009InvalidSignature.selector);
        take(payee, 100, v, r, s);
    }

    function test_RevertWhen_TheCallerIsNotThePayee() external {
        (uint8 v, bytes32 r, bytes32 s) = authorize(address(euro), driver, payee, 100, NONCE);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, payee));
        take(stranger, 100, v, r, s);
    }

    function test_RevertWhen_TheValidityIsOver() external {
        (uint8 v, bytes32 r, bytes32 s) = authorize(address(euro), driver, payee, 100, NONCE);
        vm.warp(UNTIL);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009InvalidAuthorizationTime.selector, 0, UNTIL));
        take(payee, 100, v, r, s);
    }

    function test_RevertGiven_TheNonceWasUsed() external {
        (uint8 v, bytes32 r, bytes32 s) = authorize(address(euro), driver, payee, 50, NONCE);
        take(payee, 50, v, r, s);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, driver.addr, NONCE));
        take(payee, 50, v, r, s);
    }

    function test_RevertGiven_ThePayerHasTooLittle() external {
        (uint8 v, bytes32 r, bytes32 s) = authorize(address(euro), driver, payee, 101, NONCE);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, driver.addr, 100, 101));
        take(payee, 101, v, r, s);
    }

    function testFuzz_GivenThePayerHasEnough(uint256 amount) external {
        amount = bound(amount, 0, 100);
        (uint8 v, bytes32 r, bytes32 s) = authorize(address(euro), driver, payee, amount, NONCE);
        vm.expectEmit(address(euro));
        emit IERC3009.AuthorizationUsed(driver.addr, NONCE);
        take(payee, amount, v, r, s);
        assertEq(euro.balanceOf(payee), amount);
        assertEq(euro.balanceOf(driver.addr), 100 - amount);
        assertTrue(euro.authorizationState(driver.addr, NONCE));
    }
}
