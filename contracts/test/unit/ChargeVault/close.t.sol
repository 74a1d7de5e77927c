// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HostileEuro} from "../../tokens/HostileEuro.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IMeterRegistry} from "../../../src/interfaces/IMeterRegistry.sol";
import {Vault_Test} from "../../Vault.t.sol";
import {IChargeVault} from "../../../src/interfaces/IChargeVault.sol";

contract ChargeVault_Close_Unit_Test is Vault_Test {
    IChargeVault.Terms internal terms;
    IChargeVault.Opening internal opening;
    IChargeVault.Reading internal reading;

    function setUp() public override {
        super.setUp();
        prepare(GATEWAY, 0);
    }

    function prepare(bytes32 meterId, uint32 purse) internal {
        vm.warp(START);
        terms = termsAt(meterId);
        (terms.purse, terms.salt) = (purse, keccak256(abi.encode(purse)));
        opening = open(terms);
        vm.warp(START + 1 hours);
        reading = IChargeVault.Reading(10_000, 15_500, uint64(START + 1 hours));
    }

    function attempt() internal {
        vault.close(terms, opening, reading, stampReading(terms, reading));
    }

    function expectOutside() internal {
        vm.expectRevert(
            abi.encodeWithSelector(
                IChargeVault.ChargeVault_OutsideSession.selector, reading.endedAt, START, START + 1 hours
            )
        );
    }

    function test_RevertGiven_NoSuchSessionIsOpen() external {
        opening.openedAt -= 1;
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_NotOpen.selector, idOf(terms)));
        attempt();
    }

    function test_RevertWhen_TheDeadlineHasCome() external {
        vm.warp(START + 1 days);
        vm.expectRevert(
            abi.encodeWithSelector(IChargeVault.ChargeVault_DeadlinePassed.selector, START + 1 days, START + 1 days)
        );
        attempt();
    }

    function test_RevertWhen_TheMeterIsNoGateway() external {
        bytes32[3] memory meters = [STATION, K1_STATION, FEEDER_HEAD];
        for (uint32 i = 0; i < meters.length; ++i) {
            prepare(meters[i], i + 1);
            vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_WrongKind.selector, meters[i]));
            attempt();
        }
    }

    function test_RevertWhen_TheGatewaySpeaksNoMore() external {
        revoke(GATEWAY);
        vm.expectRevert(abi.encodeWithSelector(IMeterRegistry.MeterRegistry_NotValid.selector, GATEWAY));
        attempt();
    }

    function test_RevertWhen_TheSignatureHasNotTheLengthOfTheCurve() external {
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_BadSignatureLength.selector, 64));
        vault.close(terms, opening, reading, new bytes(64));
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_BadSignatureLength.selector, 66));
        vault.close(terms, opening, reading, new bytes(66));
        prepare(P256_GATEWAY, 1);
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_BadSignatureLength.selector, 65));
        vault.close(terms, opening, reading, new bytes(65));
    }

    function test_RevertWhen_TheReadingIsNotTheOneThatWasSigned() external {
        bytes memory signature = stampReading(terms, reading);
        for (uint256 i = 0; i < 3; ++i) {
            IChargeVault.Reading memory changed = reading;
            if (i == 0) changed.beginWh -= 1;
            if (i == 1) changed.endWh -= 1;
            if (i == 2) changed.endedAt -= 1;
            vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_BadSignature.selector, GATEWAY));
            vault.close(terms, opening, changed, signature);
        }
    }

    function test_RevertWhen_TheSignatureIsOfAnotherSession() external {
        bytes memory signature = stampReading(terms, reading);
        prepare(GATEWAY, 1);
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_BadSignature.selector, GATEWAY));
        vault.close(terms, opening, reading, signature);
    }

    function test_RevertWhen_TheRegisterRunsBackwards() external {
        reading.endWh = 9999;
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_Backwards.selector, 10_000, 9999));
        attempt();
    }

    function test_RevertWhen_ItEndedBeforeItWasOpened() external {
        reading = IChargeVault.Reading(10_000, 10_000, uint64(START - 1));
        expectOutside();
        attempt();
        reading.endedAt = uint64(START);
        attempt();
    }

    function test_RevertWhen_ItEndsInTheFuture() external {
        reading.endedAt += 1;
        expectOutside();
        attempt();
    }

    function test_RevertWhen_TheEnergyIsMoreThanTheMeterCarries() external {
        // Counted to the end that the gateway signed, not to now.
        reading.endedAt = uint64(START + 30 minutes);
        reading.endWh = 10_000 + 11_551;
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_AbovePower.selector, 11_551, 11_550));
        attempt();
        reading.endWh -= 1;
        attempt();
    }

    function test_WhenNoEnergyFlowed() external {
        reading.endWh = reading.beginWh;
        attempt();
        assertEq(token.balanceOf(driver.addr), DEPOSIT);
        assertEq(vault.earnedOf(operator), 0);
    }

    function test_GivenTheRefundFailsInAnyWay() external {
        for (uint32 i = 0; i < 3; ++i) {
            prepare(GATEWAY, i + 1);
            if (i == 0) token.setBlocked(driver.addr);
            if (i == 1) token.setMood(HostileEuro.Mood.Refusing);
            if (i == 2) token.setMood(HostileEuro.Mood.Greedy);
            vm.expectEmit(address(vault));
            emit IChargeVault.SessionClosed(idOf(terms), driver.addr, operator, 5500, CHARGE, REFUND, 0, false);
            vault.close{gas: 3_000_000}(terms, opening, reading, stampReading(terms, reading));
            assertPurse(driver.addr, i + 1, REFUND, 0);
            assertEq(vault.earnedOf(operator), (i + 1) * CHARGE);
            token.setMood(HostileEuro.Mood.Honest);
        }
        vm.prank(driver.addr);
        vault.withdraw(1, stranger, REFUND);
        assertEq(token.balanceOf(stranger), REFUND);
    }

    function test_GivenTheTokenReturnsNothing() external {
        token.setMood(HostileEuro.Mood.Silent);
        attempt();
        assertPurse(driver.addr, 0, 0, 0);
        assertEq(token.balanceOf(driver.addr), REFUND);
    }

    function test_GivenTheTokenCallsBack() external {
        token.arm(
            address(vault), abi.encodeCall(IChargeVault.close, (terms, opening, reading, stampReading(terms, reading)))
        );
        attempt();
        assertFalse(token.wasLetIn());
        assertEq(bytes4(token.answer()), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        assertEq(vault.earnedOf(operator), CHARGE);
    }

    function test_GivenTheTokenCallsBackWhereTheVaultHasNoGuard() external {
        stand(driver.addr, 0, DEPOSIT);
        IChargeVault.Terms memory next = standing(2);
        bytes memory signature = sign(driver.key, idOf(next));
        token.arm(address(vault), abi.encodeCall(IChargeVault.openFromBalance, (next, signature)));
        attempt();
        assertTrue(token.wasLetIn());
        assertTrue(vault.isOpen(next, IChargeVault.Opening(uint64(START + 1 hours), 0, false)));
        assertPurse(driver.addr, 0, 0, DEPOSIT);
        assertEq(token.balanceOf(address(vault)), DEPOSIT + CHARGE);
    }

    function test_WhenAllIsInOrder() external {
        expectTransfer(address(vault), driver.addr, REFUND);
        vm.expectEmit(address(vault));
        emit IChargeVault.SessionClosed(idOf(terms), driver.addr, operator, 5500, CHARGE, REFUND, 0, true);
        attempt();
        assertEq(vault.earnedOf(operator), CHARGE);
        assertEq(vault.stationEarned(GATEWAY), 0);
        assertEq(vault.lastPageOf(GATEWAY), 0);
        prepare(P256_GATEWAY, 1);
        attempt();
        assertEq(vault.earnedOf(operator), 2 * CHARGE);
        assertEq(token.balanceOf(driver.addr), 2 * REFUND);
    }
}
