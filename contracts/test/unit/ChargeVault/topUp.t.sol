// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HostileEuro} from "../../tokens/HostileEuro.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IVault} from "../../IVault.sol";
import {Vault_Test} from "../../Vault.t.sol";
import {IChargeVault} from "../../../src/interfaces/IChargeVault.sol";

contract ChargeVault_TopUp_Unit_Test is Vault_Test {
    uint64 internal constant MORE = 1_000_000;

    IChargeVault.Terms internal terms;
    IChargeVault.Opening internal opening;

    function setUp() public override {
        super.setUp();
        terms = plain();
        opening = open(terms);
        give(driver.addr, 2 * MORE);
    }

    function attempt(uint64 amount) internal {
        vault.topUp(terms, opening, amount, consent(driver, amount, topUpNonce(idOf(terms), DEPOSIT, amount)));
    }

    function test_RevertGiven_NoSuchSessionIsOpen() external {
        terms.flatMicros += 1;
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_NotOpen.selector, idOf(terms)));
        attempt(MORE);
    }

    function test_RevertWhen_TheDeadlineHasCome() external {
        uint64 deadline = terms.deadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_DeadlinePassed.selector, deadline, deadline));
        attempt(MORE);
    }

    function test_RevertWhen_TheAmountIsZero() external {
        vm.expectRevert(IChargeVault.ChargeVault_NoDeposit.selector);
        attempt(0);
    }

    function test_RevertWhen_TheDepositWouldBeMoreThanAPurseHolds() external {
        uint64 amount = type(uint40).max - DEPOSIT + 1;
        give(driver.addr, amount);
        vm.expectRevert(abi.encodeWithSelector(IVault.Purse_Full.selector, uint256(type(uint40).max) + 1));
        attempt(amount);
        attempt(amount - 1);
        assertPurse(driver.addr, 0, 0, type(uint40).max);
    }

    function test_RevertGiven_TheSignatureWasUsed() external {
        attempt(MORE);
        // The deposit is another now, so the same signature is of another nonce.
        vm.expectRevert(ERC3009.ERC3009InvalidSignature.selector);
        attempt(MORE);
        assertPurse(driver.addr, 0, 0, DEPOSIT + MORE);
    }

    function test_RevertGiven_TheTokenKeepsAFee() external {
        token.setMood(HostileEuro.Mood.Charging);
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_TokenShort.selector, MORE - MORE / 100, MORE));
        attempt(MORE);
    }

    function test_GivenTheTokenCallsBack() external {
        token.arm(address(vault), abi.encodeCall(IChargeVault.withdraw, (0, stranger, 1)));
        attempt(MORE);
        assertFalse(token.wasLetIn());
        assertEq(bytes4(token.answer()), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
    }

    function test_WhenTheDriverSigned() external {
        vm.warp(START + 1 days - 1);
        vm.expectEmit(address(vault));
        emit IChargeVault.SessionToppedUp(idOf(terms), MORE, DEPOSIT + MORE, true);
        expectTransfer(driver.addr, address(vault), MORE);
        attempt(MORE);
        assertPurse(driver.addr, 0, 0, DEPOSIT + MORE);
        assertTrue(vault.isOpen(terms, opening));
        assertEq(token.balanceOf(address(vault)), DEPOSIT + MORE);
    }
}
