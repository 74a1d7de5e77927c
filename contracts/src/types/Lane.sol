// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice One account's money and its own cap: the lowest 64 bits, the others are zero. From the highest bit to the lowest:
///
///     institution 1 | cap 19 | balance 44
///
/// The balance is in micros, up to 17.5 million euro; the cap in whole cents, up to 5,242.87 euro.
type Lane is uint256;

/// @notice A storage slot of four lanes, the lowest 64 bits first.
type Lanes is uint256;

using LaneLibrary for Lane global;
using LanesLibrary for Lanes global;

/// @title LaneLibrary
/// @notice Packs and unpacks a lane. What does not fit was refused by the caller with a name; an
/// assertion sees to it that nothing is ever cut off.
library LaneLibrary {
    /// @notice Largest balance, in micros.
    uint256 internal constant BALANCE_MAX = 2 ** 44 - 1;
    /// @notice Largest cap, in cents.
    uint256 internal constant CAP_MAX_CENTS = 2 ** 19 - 1;

    uint256 private constant CAP_OFFSET = 44;
    uint256 private constant INSTITUTION_OFFSET = 63;

    /// @notice Returns a lane of these three.
    function pack(uint256 micros, uint256 cents, bool institution) internal pure returns (Lane) {
        assert(micros <= BALANCE_MAX);
        assert(cents <= CAP_MAX_CENTS);
        uint256 flag = institution ? 1 << INSTITUTION_OFFSET : 0;
        return Lane.wrap(flag | (cents << CAP_OFFSET) | micros);
    }

    /// @notice Returns the balance, in micros.
    function balance(Lane self) internal pure returns (uint64) {
        // 44 bits.
        return uint64(Lane.unwrap(self) & BALANCE_MAX);
    }

    /// @notice Returns the cap, in cents.
    function capCents(Lane self) internal pure returns (uint256) {
        return (Lane.unwrap(self) >> CAP_OFFSET) & CAP_MAX_CENTS;
    }

    /// @notice Returns whether the account is an institution, which knows no cap.
    function isInstitution(Lane self) internal pure returns (bool) {
        return Lane.unwrap(self) >> INSTITUTION_OFFSET == 1;
    }

    /// @notice Returns the lane with another balance.
    function withBalance(Lane self, uint256 micros) internal pure returns (Lane) {
        assert(micros <= BALANCE_MAX);
        return Lane.wrap((Lane.unwrap(self) & ~BALANCE_MAX) | micros);
    }

    /// @notice Returns the lane with another cap.
    function withCapCents(Lane self, uint256 cents) internal pure returns (Lane) {
        return pack(balance(self), cents, isInstitution(self));
    }
}

/// @title LanesLibrary
/// @notice Reads and replaces one lane of a slot; the other three stay as they are.
library LanesLibrary {
    /// @notice Lanes of a slot.
    uint256 internal constant COUNT = 4;

    uint256 private constant LANE_BITS = 64;
    uint256 private constant LANE_MASK = type(uint64).max;

    /// @notice Returns the lane at `index`, from 0 to 3.
    function lane(Lanes self, uint256 index) internal pure returns (Lane) {
        unchecked {
            // Only the lowest 64 bits after the shift are this lane's.
            return Lane.wrap((Lanes.unwrap(self) >> (index * LANE_BITS)) & LANE_MASK);
        }
    }

    /// @notice Returns the slot with `micros` more in the balance of the lane at `index`, or less.
    /// The caller has checked that the balance stays between nothing and its most; being the lowest
    /// part of its lane, it then neither carries into another part nor borrows from one.
    function moved(Lanes self, uint256 index, int256 micros) internal pure returns (Lanes) {
        unchecked {
            return Lanes.wrap(Lanes.unwrap(self) + (uint256(micros) << (index * LANE_BITS)));
        }
    }

    /// @notice Returns the slot with another lane at `index`, from 0 to 3.
    function withLane(Lanes self, uint256 index, Lane changed) internal pure returns (Lanes) {
        uint256 offset = index * LANE_BITS;
        uint256 others = Lanes.unwrap(self) & ~(LANE_MASK << offset);
        return Lanes.wrap(others | (Lane.unwrap(changed) << offset));
    }
}
