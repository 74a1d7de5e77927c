// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ascii} from "./Ascii.sol";
import {Json} from "./Json.sol";
import {Words} from "./Words.sol";

/// @title OcmfValues
/// @notice Reads what a register shows, exactly.
library OcmfValues {
    uint256 internal constant DIGITS_MAX = 18;
    uint256 internal constant DECIMALS_MAX = 12;

    /// @dev What cannot be read is this and its position; what can is below 10^30.
    uint256 internal constant UNREADABLE = 1 << 200;

    /// @notice Reads a register value in 10^-12 of its unit; `UNREADABLE` and its position if it is no
    /// plain decimal number, which is no fault unless the reading counts.
    /// @dev A plain number with nothing behind it is taken at once; all others are left to `readAny`.
    function read(uint256 origin, uint256 pos) internal pure returns (uint256, uint256) {
        unchecked {
            uint256 word = Words.wordAt(pos);
            (uint256 others, uint256 point) = Words.numberMarks(word);
            uint256 length = Words.bytesBefore(others);
            if ((1 << Ascii.COMMA | 1 << Ascii.BRACE_END) >> Words.byteOf(word, length) & 1 != 0) {
                // Its bytes move to the end of the word; the mark of its point is in one of them.
                uint256 rest = 256 - 8 * length;
                uint256 whole = word >> rest;
                uint256 fraction;
                point >>= rest;
                if (point != 0) {
                    uint256 decimals = 8 * Words.bytesBehind(point);
                    fraction = (whole & ((1 << decimals) - 1)) << (8 * DECIMALS_MAX - decimals);
                    whole >>= decimals + 8;
                }
                // At most one point, neither last nor before more decimals than there may be, nor
                // behind more digits.
                if (
                    point & (point - 1) | point & 0x80 | point >> (8 * DECIMALS_MAX + 8) | whole >> (8 * DIGITS_MAX)
                        == 0
                ) {
                    // A zero is the first of the digits only if it is all of them.
                    if (word >> 248 == Ascii.ZERO ? whole == Ascii.ZERO : whole != 0) {
                        return (Words.number(whole << (8 * DECIMALS_MAX) | fraction), pos + length);
                    }
                }
            }
            return readAny(origin, pos);
        }
    }

    /// @notice Reads a register value as `read` does: a number, or a string of one, where padding with
    /// blanks is allowed.
    function readAny(uint256 origin, uint256 pos) internal pure returns (uint256 value, uint256 next) {
        unchecked {
            uint256 start = Json.skipBlank(pos);
            next = Json.skipValue(origin, start, 3);
            uint256 end = next;
            if (Words.byteAt(start) == Ascii.QUOTE) {
                while (Words.byteAt(++start) == Ascii.BLANK) {}
                while (Words.byteAt(--end - 1) == Ascii.BLANK) {}
            }
            value = _decimal(start, end);
            value = value == UNREADABLE ? UNREADABLE | (pos - origin) : value;
        }
    }

    /// @dev Returns the plain decimal number between two places, in 10^-12, if there is one.
    function _decimal(uint256 start, uint256 end) private pure returns (uint256 value) {
        unchecked {
            uint256 digits;
            uint256 decimals;
            bool hasPoint;
            for (; start < end; ++start) {
                uint256 one = Words.byteAt(start);
                if (one == Ascii.POINT && !hasPoint) {
                    hasPoint = true;
                } else if (one - Ascii.ZERO < 10) {
                    value = value * 10 + one - Ascii.ZERO;
                    hasPoint ? ++decimals : ++digits;
                } else {
                    return UNREADABLE;
                }
            }
            if (digits == 0 || digits > DIGITS_MAX || decimals > DECIMALS_MAX || hasPoint == (decimals == 0)) {
                return UNREADABLE;
            }
            value *= 10 ** (DECIMALS_MAX - decimals);
        }
    }
}
