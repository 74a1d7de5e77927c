// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Vault_Test} from "../../Vault.t.sol";
import {IChargeVault} from "../../../src/interfaces/IChargeVault.sol";

contract ChargeVault_Expire_Unit_Test is Vault_Test {
    IChargeVault.Terms internal terms;
    IChargeVault.Opening internal opening;

    function setUp() public override {
        super.setUp();
        terms = plain();
        opening = open(terms);
    }

    function expectExpired(bool pushed) internal {
        vm.expectEmit(address(vault));
        emit IChargeVault.SessionExpired(idOf(terms), driver.addr, DEPOSIT, pushed);
    }

    function test_RevertGiven_NoSuchSessionIsOpen() external {
        vm.warp(START + 1 days);
        terms.deadline -= 1;
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_NotOpen.selector, idOf(terms)));
        vault.expire(terms, opening);
    }

    function test_RevertWhen_TheDeadlineHasNotCome() external {
        vm.warp(START + 1 days - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IChargeVault.ChargeVault_DeadlineNotPassed.selector, START + 1 days, START + 1 days - 1
            )
        );
        vault.expire(terms, opening);
    }

    function test_RevertGiven_ItExpiredBefore() external {
        vm.warp(START + 1 days);
        vault.expire(terms, opening);
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_NotOpen.selector, idOf(terms)));
        vault.expire(terms, opening);
    }

    function test_GivenTheDepositCameFromAWallet() external {
        vm.warp(START + 1 days);
        expectTransfer(address(vault), driver.addr, DEPOSIT);
        expectExpired(true);
        vm.prank(stranger);
        vault.expire(terms, opening);
        assertPurse(driver.addr, 0, 0, 0);
        assertEq(token.balanceOf(driver.addr), DEPOSIT);
        assertEq(token.balanceOf(address(vault)), 0);
        assertEq(vault.earnedOf(operator) + vault.stationEarned(STATION), 0);
    }

    function test_GivenTheDepositCameFromAStandingBalance() external {
        (terms.purse, terms.salt) = (1, bytes32(uint256(1)));
        opening = openStanding(terms);
        vm.warp(START + 2 days);
        expectExpired(false);
        vault.expire(terms, opening);
        assertPurse(driver.addr, 1, DEPOSIT, 0);
        assertEq(token.balanceOf(driver.addr), 0);
    }

    function test_GivenTheTokenRefusesTheDriver() external {
        token.setBlocked(driver.addr);
        vm.warp(START + 1 days);
        expectExpired(false);
        vault.expire(terms, opening);
        assertPurse(driver.addr, 0, DEPOSIT, 0);
    }

    function test_GivenTheTokenCallsBack() external {
        token.arm(address(vault), abi.encodeCall(IChargeVault.expire, (terms, opening)));
        vm.warp(START + 1 days);
        vault.expire(terms, opening);
        assertFalse(token.wasLetIn());
        assertEq(bytes4(token.answer()), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        assertEq(token.balanceOf(driver.addr), DEPOSIT);
    }

    function test_GivenTheMeterWasRevoked() external {
        revoke(STATION);
        vault.bind(STATION);
        vm.warp(START + 1000 days);
        vault.expire(terms, opening);
        assertEq(token.balanceOf(driver.addr), DEPOSIT);
    }
}
