// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Lane, LaneLibrary, Lanes, LanesLibrary} from "../../src/types/Lane.sol";
import {SlotDelta} from "../../src/types/SlotDelta.sol";
import {Test} from "forge-std/Test.sol";

/// @dev Laws of packed lanes and entries, proven by halmos for every word at once.
contract Lane_Symbolic_Test is Test {
    /// @dev Checks one lane: what moves in it changes its balance by that, and no other part of the
    /// slot. The slot is put together from what is below the balance, the balance, and what is above.
    function checkMoved(uint64 balance, uint40 magnitude, bool debit, uint256 above, uint256 below, uint256 index)
        internal
        pure
    {
        vm.assume(balance <= LaneLibrary.BALANCE_MAX && magnitude <= 2 ** 39);
        uint256 unit = 2 ** (64 * index);
        vm.assume(below < unit && above < 2 ** (212 - 64 * index));
        int256 micros = debit ? -int256(uint256(magnitude)) : int256(uint256(magnitude));
        int256 expected = int256(uint256(balance)) + micros;
        vm.assume(expected >= 0 && expected <= int256(LaneLibrary.BALANCE_MAX));
        uint256 others = above * unit * 2 ** 44 + below;
        Lanes before = Lanes.wrap(others + uint256(balance) * unit);
        assert(Lanes.unwrap(before.moved(index, micros)) == others + uint256(expected) * unit);
    }

    function check_ADeltaMovesItsBalanceAloneInLane0(
        uint64 balance,
        uint40 magnitude,
        bool debit,
        uint256 above,
        uint256 below
    ) external pure {
        checkMoved(balance, magnitude, debit, above, below, 0);
    }

    function check_ADeltaMovesItsBalanceAloneInLane1(
        uint64 balance,
        uint40 magnitude,
        bool debit,
        uint256 above,
        uint256 below
    ) external pure {
        checkMoved(balance, magnitude, debit, above, below, 1);
    }

    function check_ADeltaMovesItsBalanceAloneInLane2(
        uint64 balance,
        uint40 magnitude,
        bool debit,
        uint256 above,
        uint256 below
    ) external pure {
        checkMoved(balance, magnitude, debit, above, below, 2);
    }

    function check_ADeltaMovesItsBalanceAloneInLane3(
        uint64 balance,
        uint40 magnitude,
        bool debit,
        uint256 above,
        uint256 below
    ) external pure {
        checkMoved(balance, magnitude, debit, above, below, 3);
    }

    /// @notice A lane's three parts and nothing else make the lane, whatever the slot holds.
    /// @custom:halmos --loop 4
    function check_ALaneIsItsThreeParts(uint256 word) external pure {
        for (uint256 index = 0; index < LanesLibrary.COUNT; ++index) {
            Lane lane = Lanes.wrap(word).lane(index);
            uint256 parts = lane.balance() + lane.capCents() * 2 ** 44 + (lane.isInstitution() ? 2 ** 63 : 0);
            assert(parts == Lane.unwrap(lane));
            assert(parts == (word / 2 ** (64 * index)) % 2 ** 64);
        }
    }

    /// @notice Replacing a lane replaces this lane and no bit of another.
    /// @custom:halmos --loop 4
    function check_ALaneIsReplacedAlone(uint256 word, uint64 changed) external pure {
        for (uint256 index = 0; index < LanesLibrary.COUNT; ++index) {
            uint256 replaced = Lanes.unwrap(Lanes.wrap(word).withLane(index, Lane.wrap(changed)));
            uint256 mask = uint256(type(uint64).max) << (64 * index);
            assert(replaced & ~mask == word & ~mask);
            assert(Lane.unwrap(Lanes.wrap(replaced).lane(index)) == changed);
        }
    }

    /// @notice What is packed is unpacked, and replacing one part leaves the others.
    function check_PartsArePackedAndReplacedAlone(uint64 word, uint64 micros, uint32 cents) external pure {
        vm.assume(micros <= LaneLibrary.BALANCE_MAX);
        vm.assume(cents <= LaneLibrary.CAP_MAX_CENTS);
        Lane lane = Lane.wrap(word);
        Lane richer = lane.withBalance(micros);
        assert(richer.balance() == micros);
        assert(richer.capCents() == lane.capCents() && richer.isInstitution() == lane.isInstitution());
        Lane higher = lane.withCapCents(cents);
        assert(higher.capCents() == cents);
        assert(higher.balance() == lane.balance() && higher.isInstitution() == lane.isInstitution());
    }

    /// @notice An entry means its slot and its four numbers in two's complement, as schoolbooks read them.
    /// @custom:halmos --loop 4
    function check_AnEntryMeansItsNumbers(uint184 word) external pure {
        SlotDelta entry = SlotDelta.wrap(word);
        assert(entry.slot() == uint256(word) / 2 ** 160);
        assert(entry.isEmpty() == (uint256(word) % 2 ** 160 == 0));
        for (uint256 index = 0; index < LanesLibrary.COUNT; ++index) {
            int256 raw = int256((uint256(word) / 2 ** (120 - 40 * index)) % 2 ** 40);
            assert(entry.micros(index) == (raw < 2 ** 39 ? raw : raw - 2 ** 40));
        }
    }
}
