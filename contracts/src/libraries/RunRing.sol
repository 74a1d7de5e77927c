// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title RunRing
/// @notice Keeps the root and the interval of the newest runs. A run takes the place of the one that
/// is `size` runs older; no place is ever emptied, so that writing one costs the same for ever.
library RunRing {
    using SafeCast for uint256;

    uint256 private constant INTERVALS_PER_SLOT = 8;

    /// @notice Roots by place, and intervals by place, eight to a slot.
    struct Ring {
        mapping(uint256 place => bytes32 root) roots;
        mapping(uint256 slot => uint32[INTERVALS_PER_SLOT] intervals) intervals;
    }

    /// @notice Puts a run into a ring of `size` places.
    function put(Ring storage self, uint256 size, uint256 run, uint256 interval, bytes32 root) internal {
        uint256 place = run % size;
        self.roots[place] = root;
        self.intervals[place / INTERVALS_PER_SLOT][place % INTERVALS_PER_SLOT] = interval.toUint32();
    }

    /// @notice Returns whether the ring holds `run`, if `last` is the newest.
    function holds(uint256 size, uint256 run, uint256 last) internal pure returns (bool) {
        return run != 0 && run <= last && run + size > last;
    }

    /// @notice Returns the root of a run that the ring holds.
    function rootOf(Ring storage self, uint256 size, uint256 run) internal view returns (bytes32) {
        return self.roots[run % size];
    }

    /// @notice Returns the interval of a run that the ring holds.
    function intervalOf(Ring storage self, uint256 size, uint256 run) internal view returns (uint256) {
        uint256 place = run % size;
        return self.intervals[place / INTERVALS_PER_SLOT][place % INTERVALS_PER_SLOT];
    }
}
