// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base_Test} from "../Base.t.sol";
import {HostileEuro} from "./HostileEuro.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @dev A hostile token that is not hostile would prove nothing.
contract HostileEuro_Test is Base_Test {
    address internal payee = makeAddr("payee");
    HostileEuro internal token;

    function setUp() public override {
        super.setUp();
        token = new HostileEuro(admin);
        vm.prank(admin);
        token.mint(driver.addr, 2000);
    }

    function pay(uint256 amount) internal returns (bool done, bytes memory answer) {
        vm.prank(driver.addr);
        (done, answer) = address(token).call{gas: 500_000}(abi.encodeCall(IERC20.transfer, (payee, amount)));
    }

    function test_HonestPays() external {
        (bool done, bytes memory answer) = pay(1000);
        assertTrue(done && abi.decode(answer, (bool)));
        assertEq(token.balanceOf(payee), 1000);
    }

    function test_BlockingRefusesWhomItBlocks() external {
        token.setBlocked(payee);
        vm.expectRevert(abi.encodeWithSelector(HostileEuro.Blocked.selector, payee));
        vm.prank(driver.addr);
        token.transfer(payee, 1);
    }

    function test_ChargingKeepsAHundredth() external {
        token.setMood(HostileEuro.Mood.Charging);
        pay(1000);
        assertEq(token.balanceOf(payee), 990);
        assertEq(token.totalSupply(), 1990);
    }

    function test_StingyPaysTooLittle() external {
        token.setMood(HostileEuro.Mood.Stingy);
        pay(1000);
        assertEq(token.balanceOf(payee), 999);
    }

    function test_RefusingReturnsFalse() external {
        token.setMood(HostileEuro.Mood.Refusing);
        (bool done, bytes memory answer) = pay(1000);
        assertTrue(done);
        assertFalse(abi.decode(answer, (bool)));
        assertEq(token.balanceOf(payee), 0);
    }

    function test_SilentReturnsNothing() external {
        token.setMood(HostileEuro.Mood.Silent);
        (bool done, bytes memory answer) = pay(1000);
        assertTrue(done);
        assertEq(answer.length, 0);
        assertEq(token.balanceOf(payee), 1000);
    }

    function test_ReentrantCallsBackOnce() external {
        token.arm(address(token), abi.encodeCall(IERC20.balanceOf, (driver.addr)));
        pay(1000);
        pay(1000);
        assertTrue(token.wasLetIn());
        assertEq(abi.decode(token.answer(), (uint256)), 2000);
        assertEq(token.balanceOf(payee), 2000);
    }

    function test_GreedyBurnsItsGas() external {
        token.setMood(HostileEuro.Mood.Greedy);
        (bool done,) = pay(1);
        assertFalse(done);
    }
}
