// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ascii} from "./Ascii.sol";
import {Json} from "./Json.sol";
import {Words} from "./Words.sol";

/// @title OcmfMembers
/// @notice What the members of a payload and those of a reading have in common.
library OcmfMembers {
    /// @notice Thrown when a known key stands twice.
    error Ocmf_DuplicateKey(bytes2 key);
    /// @notice Thrown when a text that is compared holds an escape.
    error Ocmf_Escaped(bytes2 key);

    /// @dev Of up to seven counters of 32 bits, from bit 32 on, whatever is above one. No text is long
    /// enough for a key to make its counter overflow.
    uint256 internal constant TWICE = 0xfffffffefffffffefffffffefffffffefffffffefffffffefffffffe << 32;

    /// @notice Returns the number of bytes in a string that is compared; an escape in it could hide what
    /// it says.
    function text(uint256 origin, uint256 pos, uint256 name) internal pure returns (uint256 length, uint256 next) {
        if (Words.byteAt(pos) != Ascii.QUOTE) {
            Json.refuse(origin, pos);
        }
        unchecked {
            bool escaped;
            (next, escaped) = Json.contentEnd(origin, pos + 1);
            require(!escaped, Ocmf_Escaped(bytes2(uint16(name))));
            length = next - pos - 2;
        }
    }

    /// @notice Names the first of the keys that stood twice, by the counters of all.
    function refuseTwice(uint256 seen, bytes12 keys) internal pure {
        unchecked {
            for (seen >>= 32; seen & 0xfffffffe == 0; seen >>= 32) {
                keys <<= 16;
            }
            revert Ocmf_DuplicateKey(bytes2(keys));
        }
    }
}
