// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IMeterRegistry} from "../../../src/interfaces/IMeterRegistry.sol";
import {Vault_Test} from "../../Vault.t.sol";
import {IChargeVault} from "../../../src/interfaces/IChargeVault.sol";

contract ChargeVault_CloseWithOcmf_Unit_Test is Vault_Test {
    uint256 internal constant N_P256 = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551;

    IChargeVault.Terms internal terms;
    IChargeVault.Opening internal opening;

    function setUp() public override {
        super.setUp();
        terms = plain();
        opening = open(terms);
        vm.warp(START + 1 hours);
    }

    function attempt(uint256 page) internal {
        close(terms, opening, record(terms.idTag, page, 5500));
    }

    function plainRecord() internal view returns (bytes memory) {
        return record(terms.idTag, 1, 5500);
    }

    /// @dev Opens and closes one session more, in another purse, by this page.
    function spend(uint32 purse, uint256 page) internal {
        IChargeVault.Terms memory more = plain();
        (more.purse, more.salt) = (purse, bytes32(uint256(1 << 24) + purse));
        IChargeVault.Opening memory itsOpening = open(more);
        close(more, itsOpening, page, 1 hours);
    }

    /// @dev Lets the station have earned this before, where the vault keeps it.
    function earnedBefore(uint256 micros) internal {
        vm.record();
        uint256 earned = vault.stationEarned(STATION);
        (bytes32[] memory read,) = vm.accesses(address(vault));
        uint256 word = uint256(vm.load(address(vault), read[0])) - (earned << 160);
        vm.store(address(vault), read[0], bytes32(word + (micros << 160)));
        assertEq(vault.stationEarned(STATION), micros);
    }

    function expectOldPage(uint256 page, uint256 last) internal {
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_OldPage.selector, page, last));
    }

    function expectBadSignature() internal {
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_BadSignature.selector, STATION));
    }

    function test_RevertGiven_NoSuchSessionIsOpen() external {
        opening.fromWallet = false;
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_NotOpen.selector, idOf(terms)));
        attempt(1);
    }

    function test_RevertWhen_TheDeadlineHasCome() external {
        vm.warp(START + 1 days);
        vm.expectRevert(
            abi.encodeWithSelector(IChargeVault.ChargeVault_DeadlinePassed.selector, START + 1 days, START + 1 days)
        );
        attempt(1);
        vm.warp(START + 1 days - 1);
        attempt(1);
    }

    function test_RevertWhen_TheMeterSpeaksNoMore() external {
        revoke(STATION);
        vm.expectRevert(abi.encodeWithSelector(IMeterRegistry.MeterRegistry_NotValid.selector, STATION));
        attempt(1);
    }

    function test_RevertWhen_TheMeterIsNoStation() external {
        bytes32[3] memory meters = [GATEWAY, P256_GATEWAY, FEEDER_HEAD];
        for (uint256 i = 0; i < meters.length; ++i) {
            terms.meterId = meters[i];
            terms.purse += 1;
            opening = open(terms);
            vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_WrongKind.selector, meters[i]));
            attempt(1);
        }
    }

    function test_RevertWhen_TheSignatureHasNotTheLengthOfTheCurve() external {
        uint256[4] memory lengths = [uint256(0), 65, 127, 129];
        for (uint256 i = 0; i < lengths.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_BadSignatureLength.selector, lengths[i]));
            vault.closeWithOcmf(terms, opening, plainRecord(), new bytes(lengths[i]));
        }
        terms.meterId = K1_STATION;
        terms.purse = 1;
        opening = open(terms);
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_BadSignatureLength.selector, 128));
        vault.closeWithOcmf(terms, opening, plainRecord(), new bytes(128));
    }

    function test_RevertWhen_TheSignatureIsOfAnotherRecord() external {
        bytes memory signature = stamp(STATION, plainRecord());
        expectBadSignature();
        vault.closeWithOcmf(terms, opening, record(terms.idTag, 1, 5501), signature);
    }

    function test_RevertWhen_TheSignatureIsNoSignature() external {
        expectBadSignature();
        vault.closeWithOcmf(terms, opening, plainRecord(), new bytes(128));
        (terms.meterId, terms.purse) = (K1_STATION, 1);
        opening = open(terms);
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_BadSignature.selector, K1_STATION));
        vault.closeWithOcmf(terms, opening, plainRecord(), new bytes(65));
    }

    function test_RevertWhen_AnotherKeySigned() external {
        bytes memory signature = signAs(uint256(P256_GATEWAY), true, sha256(plainRecord()));
        expectBadSignature();
        vault.closeWithOcmf(terms, opening, plainRecord(), signature);
    }

    function test_RevertGiven_TheMachineHasNoP256Precompile() external {
        bytes memory signature = stamp(STATION, plainRecord());
        bytes[4] memory answers = [bytes(""), abi.encode(0), abi.encode(2), abi.encode(1, 1)];
        for (uint256 i = 0; i < answers.length; ++i) {
            vm.mockCall(address(0x100), bytes(""), answers[i]);
            expectBadSignature();
            vault.closeWithOcmf(terms, opening, plainRecord(), signature);
        }
        vm.mockCallRevert(address(0x100), bytes(""), abi.encode(1));
        expectBadSignature();
        vault.closeWithOcmf(terms, opening, plainRecord(), signature);
    }

    function test_RevertWhen_TheRecordNamesNobody() external {
        bytes memory payload = bytes(
            '{"FV":"1.4","PG":"T1","RD":[{"TX":"B","RV":1,"RU":"Wh","ST":"G"},{"TX":"E","RV":2,"RU":"Wh","ST":"G"}]}'
        );
        vm.expectRevert(IChargeVault.ChargeVault_Unbindable.selector);
        close(terms, opening, payload);
    }

    function test_RevertWhen_TheRecordIsOfAnotherIdTag() external {
        vm.expectRevert(
            abi.encodeWithSelector(
                IChargeVault.ChargeVault_ForeignRecord.selector, keccak256("another"), keccak256(bytes(terms.idTag))
            )
        );
        close(terms, opening, record("another", 1, 5500));
    }

    function test_RevertWhen_ThePageIsNotAboveTheOneAtOpen() external {
        expectOldPage(0, 0);
        attempt(0);
        spend(1, 8);
        (terms.purse, terms.salt) = (2, keccak256("later"));
        opening = open(terms);
        vm.warp(block.timestamp + 1 hours);
        expectOldPage(8, 8);
        attempt(8);
        expectOldPage(7, 8);
        attempt(7);
        spend(3, 12);
        expectOldPage(8, 8);
        attempt(8);
        attempt(9);
    }

    function test_RevertWhen_TheEnergyIsMoreThanTheMeterCarries() external {
        // An hour of 22 kW, and one part in twenty more.
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_AbovePower.selector, 23_101, 23_100));
        close(terms, opening, record(terms.idTag, 1, 23_101));
        close(terms, opening, record(terms.idTag, 1, 23_100));
    }

    function test_RevertWhen_ThePageIsHigherThanAnyMeterCounts() external {
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_PageTooHigh.selector, 1 << 32));
        attempt(1 << 32);
        attempt((1 << 32) - 1);
        assertEq(vault.lastPageOf(STATION), (1 << 32) - 1);
    }

    function test_RevertWhen_ThePageIsTheLastOne() external {
        spend(1, 5);
        expectOldPage(5, 5);
        attempt(5);
    }

    function test_RevertWhen_ThePageIsBelowTheWindow() external {
        spend(1, 18);
        expectOldPage(1, 18);
        attempt(1);
        attempt(2);
    }

    function test_RevertWhen_ThePageWasSpent() external {
        spend(1, 3);
        spend(2, 19);
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_PageSpent.selector, 3));
        attempt(3);
        attempt(4);
    }

    function test_RevertWhen_ThePageWasSpentBeforeTheLastTwo() external {
        spend(1, 10);
        spend(2, 12);
        spend(3, 14);
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_PageSpent.selector, 10));
        attempt(10);
        attempt(11);
    }

    function test_RevertWhen_TheStationEarnedMoreThanCanBeWritten() external {
        spend(1, 1);
        earnedBefore(2 ** 48 - 1 - CHARGE + 1);
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_StationFull.selector, 2 ** 48));
        attempt(2);
        earnedBefore(2 ** 48 - 1 - CHARGE);
        attempt(2);
        assertEq(vault.stationEarned(STATION), 2 ** 48 - 1);
    }

    function test_WhenThePageIsLateButWithinTheWindow() external {
        // Opened before all others; its record arrives last.
        spend(1, 2);
        spend(2, 10);
        attempt(9);
        assertEq(vault.lastPageOf(STATION), 10);
        assertPurse(driver.addr, 0, 0, 0);
        assertEq(vault.stationEarned(STATION), 3 * CHARGE);
    }

    function test_WhenThePageIsJustBelowOneFarAhead() external {
        spend(1, 2);
        spend(2, 100);
        attempt(99);
        assertEq(vault.lastPageOf(STATION), 100);
        assertEq(vault.stationEarned(STATION), 3 * CHARGE);
    }

    function test_WhenTheStationSignsOnSecp256k1() external {
        (terms.meterId, terms.purse) = (K1_STATION, 1);
        opening = open(terms);
        vm.warp(START + 2 hours);
        attempt(1);
        assertEq(vault.stationEarned(K1_STATION), CHARGE);
    }

    function test_WhenTheHighTwinOfASignatureIsBrought() external {
        bytes memory signature = stamp(STATION, plainRecord());
        uint256 s;
        assembly {
            s := mload(add(signature, 0x40))
            s := sub(N_P256, s)
            mstore(add(signature, 0x40), s)
        }
        vault.closeWithOcmf(terms, opening, plainRecord(), signature);
        assertEq(vault.stationEarned(STATION), CHARGE);
    }

    function test_WhenNoEnergyFlowed() external {
        expectTransfer(address(vault), driver.addr, DEPOSIT);
        close(terms, opening, record(terms.idTag, 1, 0));
        assertEq(vault.stationEarned(STATION), 0);
        assertEq(vault.lastPageOf(STATION), 1);
    }

    function test_WhenTheChargeIsAboveTheDeposit() external {
        terms.depositMicros = CHARGE - 1;
        terms.purse = 1;
        opening = open(terms);
        vm.warp(START + 2 hours);
        // A token that would refuse the driver is not asked.
        token.setBlocked(driver.addr);
        vm.expectEmit(address(vault));
        emit IChargeVault.SessionClosed(idOf(terms), driver.addr, operator, 5500, CHARGE - 1, 0, 1, true);
        attempt(1);
        assertPurse(driver.addr, 1, 0, 0);
        assertEq(vault.stationEarned(STATION), CHARGE - 1);
    }

    function test_GivenTheDepositCameFromAStandingBalance() external {
        (terms.purse, terms.salt) = (1, bytes32(uint256(1)));
        opening = openStanding(terms);
        vm.warp(START + 2 hours);
        vm.expectEmit(address(vault));
        emit IChargeVault.SessionClosed(idOf(terms), driver.addr, operator, 5500, CHARGE, REFUND, 1, false);
        attempt(1);
        assertPurse(driver.addr, 1, REFUND, 0);
        assertEq(token.balanceOf(driver.addr), 0);
    }

    function test_GivenTheTokenCallsBack() external {
        IChargeVault.Terms memory second = plain();
        (second.purse, second.salt) = (1, keccak256("second"));
        IChargeVault.Opening memory itsOpening = open(second);
        vm.warp(START + 2 hours);
        bytes memory payload = record(second.idTag, 2, 5500);
        bytes memory signature = stamp(STATION, payload);
        bytes memory another = abi.encodeCall(IChargeVault.closeWithOcmf, (second, itsOpening, payload, signature));
        token.arm(address(vault), another);
        attempt(1);
        assertFalse(token.wasLetIn());
        assertEq(bytes4(token.answer()), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        vault.closeWithOcmf(second, itsOpening, payload, signature);
    }

    function test_GivenTheMeterEarnsForSomebodyElseNow() external {
        assign(STATION, buyer);
        vm.expectEmit(address(vault));
        emit IChargeVault.EarningsCollected(STATION, operator, CHARGE);
        attempt(1);
        assertEq(vault.earnedOf(operator), CHARGE);
        assertEq(vault.earnedOf(buyer), 0);
        assertEq(vault.stationEarned(STATION), 0);
        assertEq(vault.operatorOf(STATION), buyer);
        assertEq(vault.lastPageOf(STATION), 1);
    }

    function test_GivenTheMeterEarnsForSomebodyElseSinceTwoSessions() external {
        IChargeVault.Terms memory second = plain();
        (second.purse, second.salt) = (1, keccak256("second"));
        IChargeVault.Opening memory itsOpening = open(second);
        assign(STATION, buyer);
        attempt(1);
        close(second, itsOpening, 2, 1 hours);
        assertEq(vault.earnedOf(operator), 2 * CHARGE);
    }

    function test_WhenAllIsInOrder() external {
        bytes memory signature = stamp(STATION, plainRecord());
        expectTransfer(address(vault), driver.addr, REFUND);
        vm.expectEmit(address(vault));
        emit IChargeVault.SessionClosed(idOf(terms), driver.addr, operator, 5500, CHARGE, REFUND, 1, true);
        vm.recordLogs();
        vm.prank(stranger);
        vault.closeWithOcmf(terms, opening, plainRecord(), signature);
        assertEq(vm.getRecordedLogs().length, 2);
        assertPurse(driver.addr, 0, 0, 0);
        assertEq(token.balanceOf(driver.addr), REFUND);
        assertEq(token.balanceOf(address(vault)), CHARGE);
        assertEq(vault.stationEarned(STATION), CHARGE);
        assertEq(vault.earnedOf(operator), 0);
        assertEq(vault.lastPageOf(STATION), 1);
        assertFalse(vault.isOpen(terms, opening));
    }
}
