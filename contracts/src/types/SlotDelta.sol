// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a run moves in the four lanes of one slot, 23 bytes. From the first to the last:
///
///     slot 3 | lane 0: 5 | lane 1: 5 | lane 2: 5 | lane 3: 5
///
/// A slot is the account's number divided by four; each delta is in micros, in two's complement.
type SlotDelta is uint256;

using SlotDeltaLibrary for SlotDelta global;

/// @title SlotDeltaLibrary
/// @notice Takes an entry of a run apart.
library SlotDeltaLibrary {
    /// @notice Bytes of an entry.
    uint256 internal constant LENGTH = 23;

    uint256 private constant DELTA_BITS = 40;
    uint256 private constant DELTAS_BITS = 160;
    uint256 private constant LAST_DELTA = DELTAS_BITS - DELTA_BITS;
    uint256 private constant DELTAS_MASK = 2 ** DELTAS_BITS - 1;

    /// @notice Returns the entry that begins at `offset`.
    function read(bytes calldata entries, uint256 offset) internal pure returns (SlotDelta) {
        unchecked {
            return SlotDelta.wrap(uint184(bytes23(entries[offset:offset + LENGTH])));
        }
    }

    /// @notice Returns the number of the slot.
    function slot(SlotDelta self) internal pure returns (uint256) {
        return SlotDelta.unwrap(self) >> DELTAS_BITS;
    }

    /// @notice Returns whether the entry moves nothing.
    function isEmpty(SlotDelta self) internal pure returns (bool) {
        return SlotDelta.unwrap(self) & DELTAS_MASK == 0;
    }

    /// @notice Returns what is moved in lane `index`, from 0 to 3, in micros.
    function micros(SlotDelta self, uint256 index) internal pure returns (int256) {
        unchecked {
            // Only the lowest 40 bits after the shift are this lane's; int40 extends their sign.
            return int40(int256(SlotDelta.unwrap(self) >> (LAST_DELTA - DELTA_BITS * index)));
        }
    }
}
