// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Words
/// @notice Looks at 32 bytes of call data at once.
/// @dev Every `unchecked` here works on bytes side by side, none of which carries into another.
library Words {
    uint256 private constant EVERY = 0x0101010101010101010101010101010101010101010101010101010101010101;
    uint256 private constant LOW = 0x7f * EVERY;
    uint256 private constant HIGH = 0x80 * EVERY;

    /// @notice Returns where a text begins.
    function placeOf(bytes calldata text) internal pure returns (uint256 place) {
        assembly ("memory-safe") {
            place := text.offset
        }
    }

    /// @notice Returns keccak256 of the `length` bytes at `pos`.
    function hashOf(uint256 pos, uint256 length) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, pos, length)
            hash := keccak256(free, length)
        }
    }

    /// @notice Returns the 32 bytes at `pos`; behind all call data there are zeros.
    function wordAt(uint256 pos) internal pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(pos)
        }
    }

    /// @notice Returns the byte `index` of `word`, counted from the first; zero beyond the last.
    function byteOf(uint256 word, uint256 index) internal pure returns (uint256 one) {
        assembly ("memory-safe") {
            one := byte(index, word)
        }
    }

    /// @notice Returns the byte at `pos`.
    function byteAt(uint256 pos) internal pure returns (uint256) {
        return wordAt(pos) >> 248;
    }

    /// @notice Returns how many bytes stand before the first with a mark. Marks are top bits of bytes;
    /// no other bit is set.
    /// @dev Every mark is spread over all bytes behind it; those that have one then are added up.
    function bytesBefore(uint256 marks) internal pure returns (uint256) {
        unchecked {
            marks |= marks >> 8;
            marks |= marks >> 16;
            marks |= marks >> 32;
            marks |= marks >> 64;
            marks |= marks >> 128;
            return 32 - ((marks >> 7) * EVERY >> 248);
        }
    }

    /// @notice Returns how many bytes stand behind the only mark.
    function bytesBehind(uint256 mark) internal pure returns (uint256) {
        unchecked {
            return (((mark >> 7) - 1) & EVERY) * EVERY >> 248;
        }
    }

    /// @notice Marks the bytes that are colons.
    function colons(uint256 word) internal pure returns (uint256) {
        unchecked {
            return ~((((word & LOW) ^ (0x3a * EVERY)) + LOW) | word) & HIGH;
        }
    }

    /// @notice Marks the bytes that are no digits.
    function noDigits(uint256 word) internal pure returns (uint256) {
        unchecked {
            word ^= 0x30 * EVERY;
            return (((word & LOW) + 0x76 * EVERY) | word) & HIGH;
        }
    }

    /// @notice Marks the bytes that are neither digits nor points, and those that are points.
    function numberMarks(uint256 word) internal pure returns (uint256 others, uint256 points) {
        unchecked {
            word ^= 0x30 * EVERY;
            uint256 low = word & LOW;
            others = ((low + 0x76 * EVERY) | word) & HIGH;
            points = ~(((low ^ (0x1e * EVERY)) + LOW) | word) & HIGH;
            others ^= points;
        }
    }

    /// @notice Returns how many bytes of `word` stand before the first that ends a string or needs a
    /// closer look: a quote, a control character, a backslash, a bar, or no ASCII.
    /// @dev In the low seven bits of each byte: with bit 1 turned over, quote and control characters are
    /// what is not above 0x20; without bit 5, a bar is a backslash. The rest is `bytesBefore`, spelled
    /// out because most of the gas of reading a record is spent here.
    function plainBytes(uint256 word) internal pure returns (uint256) {
        unchecked {
            uint256 noQuote = ((word & LOW) ^ (0x02 * EVERY)) + 0x5f * EVERY;
            uint256 noBackslash = ((word & (0x5f * EVERY)) ^ (0x5c * EVERY)) + LOW;
            uint256 marks = (~(noQuote & noBackslash) | word) & HIGH;
            marks |= marks >> 8;
            marks |= marks >> 16;
            marks |= marks >> 32;
            marks |= marks >> 64;
            marks |= marks >> 128;
            return 32 - ((marks >> 7) * EVERY >> 248);
        }
    }

    /// @notice Returns the number whose digits are the bytes of a word, the last one the units; bytes of
    /// zero count as the digit 0.
    /// @dev Two digits become one number below 100, two of those one below 10^4, and so on: a pair of
    /// lanes, `high * 2^n + low`, becomes `high * 10^m + low`. Nothing borrows from its neighbor.
    function number(uint256 word) internal pure returns (uint256) {
        unchecked {
            word &= 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
            word -= (2 ** 8 - 10) * (word >> 8 & 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff);
            word -= (2 ** 16 - 10 ** 2)
                * (word >> 16 & 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff);
            word -= (2 ** 32 - 10 ** 4)
                * (word >> 32 & 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff);
            word -= (2 ** 64 - 10 ** 8)
                * (word >> 64 & 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff);
            return word - (2 ** 128 - 10 ** 16) * (word >> 128);
        }
    }
}
