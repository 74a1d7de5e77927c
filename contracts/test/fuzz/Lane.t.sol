// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Lane, LaneLibrary, Lanes, LanesLibrary} from "../../src/types/Lane.sol";
import {SlotDelta, SlotDeltaLibrary} from "../../src/types/SlotDelta.sol";
import {Test} from "forge-std/Test.sol";
import {stdError} from "forge-std/StdError.sol";

/// @dev What is packed comes out again, and what does not fit is never cut off.
contract Lane_Fuzz_Test is Test {
    function pack(uint256 micros, uint256 cents, bool institution) external pure returns (Lane) {
        return LaneLibrary.pack(micros, cents, institution);
    }

    function withBalance(Lane lane, uint256 micros) external pure returns (Lane) {
        return lane.withBalance(micros);
    }

    function withCapCents(Lane lane, uint256 cents) external pure returns (Lane) {
        return lane.withCapCents(cents);
    }

    function read(bytes calldata entries, uint256 offset) external pure returns (SlotDelta) {
        return SlotDeltaLibrary.read(entries, offset);
    }

    function same(Lane lane, uint256 micros, uint256 cents, bool institution) internal pure {
        assertEq(lane.balance(), micros);
        assertEq(lane.capCents(), cents);
        assertEq(lane.isInstitution(), institution);
        assertLt(Lane.unwrap(lane), 2 ** 64);
    }

    function testFuzz_ALaneIsWhatWasPacked(uint64 micros, uint32 cents, bool institution) external pure {
        cents = uint32(bound(cents, 0, LaneLibrary.CAP_MAX_CENTS));
        uint256 amount = bound(micros, 0, LaneLibrary.BALANCE_MAX);
        Lane lane = LaneLibrary.pack(amount, cents, institution);
        same(lane, amount, cents, institution);
        same(lane.withBalance(amount / 3), amount / 3, cents, institution);
        same(lane.withCapCents(cents / 3), amount, cents / 3, institution);
    }

    function testFuzz_WhatDoesNotFitIsNotCutOff(uint256 micros, uint256 cents, uint64 word) external {
        micros = bound(micros, LaneLibrary.BALANCE_MAX + 1, type(uint256).max);
        cents = bound(cents, LaneLibrary.CAP_MAX_CENTS + 1, type(uint256).max);
        vm.expectRevert(stdError.assertionError);
        this.pack(micros, 0, false);
        vm.expectRevert(stdError.assertionError);
        this.pack(0, cents, false);
        vm.expectRevert(stdError.assertionError);
        this.withBalance(Lane.wrap(word), micros);
        vm.expectRevert(stdError.assertionError);
        this.withCapCents(Lane.wrap(word), cents);
    }

    function testFuzz_OneLaneIsReplacedAndNoOther(uint256 word, uint64 changed, uint256 index) external pure {
        index = bound(index, 0, LanesLibrary.COUNT - 1);
        Lanes lanes = Lanes.wrap(word).withLane(index, Lane.wrap(changed));
        for (uint256 i = 0; i < LanesLibrary.COUNT; ++i) {
            uint64 expected = i == index ? changed : uint64(word >> (64 * i));
            assertEq(Lane.unwrap(lanes.lane(i)), expected);
        }
    }

    function testFuzz_AnEntryIsWhatWasPacked(uint24[2] calldata slots, int40[4] calldata micros) external view {
        bytes memory entries = abi.encodePacked(
            slots[0], micros[3], micros[2], micros[1], micros[0], slots[1], micros[0], micros[1], micros[2], micros[3]
        );
        assertEq(entries.length, 2 * SlotDeltaLibrary.LENGTH);
        SlotDelta first = this.read(entries, 0);
        SlotDelta second = this.read(entries, SlotDeltaLibrary.LENGTH);
        assertEq(first.slot(), slots[0]);
        assertEq(second.slot(), slots[1]);
        bool moves;
        for (uint256 i = 0; i < 4; ++i) {
            assertEq(first.micros(i), micros[3 - i]);
            assertEq(second.micros(i), micros[i]);
            moves = moves || micros[i] != 0;
        }
        assertEq(first.isEmpty(), !moves);
        assertEq(second.isEmpty(), !moves);
    }

    function testFuzz_NothingIsReadBeyondTheEnd(uint256 length, uint256 offset) external {
        length = bound(length, 0, 3 * SlotDeltaLibrary.LENGTH);
        offset = bound(offset, length < 23 ? 0 : length - 22, length);
        vm.expectRevert();
        this.read(new bytes(length), offset);
    }
}
