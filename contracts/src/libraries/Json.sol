// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Json
/// @notice Walks over JSON text in calldata without copying it (RFC 8259). Bad text gives a named
/// error with its position, never a panic.
/// @dev Positions only ever grow by a few bytes from inside the text, so they cannot overflow.
library Json {
    /// @notice Thrown when the text is no JSON at `pos`.
    error Json_Malformed(uint256 pos);

    /// @dev Deeper nesting than any meter writes.
    uint256 internal constant DEPTH_MAX = 16;

    /// @dev The same byte 32 times, to look at 32 bytes of text at once.
    uint256 private constant QUOTES = 0x2222222222222222222222222222222222222222222222222222222222222222;
    uint256 private constant BACKSLASHES = 0x5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c;
    uint256 private constant ABOVE_CONTROL = 0xe0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0;
    uint256 private constant LOW_BITS = 0x7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f;

    /// @notice Returns the byte at `pos`, or zero beyond the end; a zero byte stands nowhere in JSON.
    function byteAt(bytes calldata text, uint256 pos) internal pure returns (bytes1 one) {
        assembly ("memory-safe") {
            one := mul(lt(pos, text.length), shl(248, byte(0, calldataload(add(text.offset, pos)))))
        }
    }

    /// @notice Returns the first byte from `pos` on that is no white space, and its position.
    function peek(bytes calldata text, uint256 pos) internal pure returns (bytes1 one, uint256) {
        unchecked {
            while (true) {
                one = byteAt(text, pos);
                if (one > " " || (one != " " && one != "\t" && one != "\n" && one != "\r")) {
                    break;
                }
                ++pos;
            }
            return (one, pos);
        }
    }

    /// @notice Returns the position after `mark`, which must come next but for white space.
    function expect(bytes calldata text, uint256 pos, bytes1 mark) internal pure returns (uint256) {
        bytes1 one;
        (one, pos) = peek(text, pos);
        require(one == mark, Json_Malformed(pos));
        unchecked {
            return pos + 1;
        }
    }

    /// @notice Returns whether `mark` comes next but for white space, and the position after it if so.
    function accept(bytes calldata text, uint256 pos, bytes1 mark) internal pure returns (bool, uint256) {
        (bytes1 one, uint256 next) = peek(text, pos);
        unchecked {
            return one == mark ? (true, next + 1) : (false, pos);
        }
    }

    /// @notice Requires that nothing but white space is left from `pos` on.
    function expectEnd(bytes calldata text, uint256 pos) internal pure {
        (, pos) = peek(text, pos);
        require(pos == text.length, Json_Malformed(pos));
    }

    /// @notice Returns the content of the string that comes next, escapes untouched, and whether
    /// there are any.
    function readString(bytes calldata text, uint256 pos)
        internal
        pure
        returns (bytes calldata content, uint256 next, bool escaped)
    {
        uint256 start = expect(text, pos, '"');
        next = _markFrom(text, start);
        bytes1 mark = byteAt(text, next);
        unchecked {
            while (mark != '"') {
                require(mark == "\\", Json_Malformed(next));
                escaped = true;
                next = _markFrom(text, next + 2);
                mark = byteAt(text, next);
            }
        }
        assembly ("memory-safe") {
            content.offset := add(text.offset, start)
            content.length := sub(next, start)
            next := add(next, 1)
        }
    }

    /// @notice Returns the name of the member that comes next if it has two bytes, else zero, and
    /// the position of its value.
    function readShortKey(bytes calldata text, uint256 pos) internal pure returns (bytes2 name, uint256 next) {
        bytes calldata key;
        (key, next,) = readString(text, pos);
        next = expect(text, next, ":");
        if (key.length == 2) {
            assembly ("memory-safe") {
                name := shl(240, shr(240, calldataload(key.offset)))
            }
        }
    }

    /// @notice Returns the position after the value that comes next, whatever it is.
    function skipValue(bytes calldata text, uint256 pos, uint256 depth) internal pure returns (uint256) {
        require(depth < DEPTH_MAX, Json_Malformed(pos));
        bytes1 first;
        (first, pos) = peek(text, pos);
        if (first == '"') {
            (, pos,) = readString(text, pos);
            return pos;
        }
        if (first == "{" || first == "[") {
            return _skipNested(text, pos, depth, first == "{");
        }
        return _skipScalar(text, pos);
    }

    /// @dev Skips an object or an array.
    function _skipNested(bytes calldata text, uint256 pos, uint256 depth, bool isObject) private pure returns (uint256) {
        bytes1 close = isObject ? bytes1("}") : bytes1("]");
        bool more;
        (more, pos) = accept(text, pos + 1, close);
        if (more) {
            return pos;
        }
        do {
            if (isObject) {
                (, pos) = readShortKey(text, pos);
            }
            pos = skipValue(text, pos, depth + 1);
            (more, pos) = accept(text, pos, ",");
        } while (more);
        return expect(text, pos, close);
    }

    /// @dev Skips a number, true, false or null; what it says does not matter.
    function _skipScalar(bytes calldata text, uint256 pos) private pure returns (uint256 next) {
        next = pos;
        unchecked {
            while (_isScalar(byteAt(text, next))) {
                ++next;
            }
        }
        require(next > pos, Json_Malformed(pos));
    }

    function _isScalar(bytes1 one) private pure returns (bool) {
        return (one >= "0" && one <= "9") || (one >= "a" && one <= "z") || one == "-" || one == "+" || one == "."
            || one == "E";
    }

    /// @dev Returns the first position from `pos` on of a quote, a backslash or a control
    /// character; beyond the end of all calldata everything is zero, so there is one.
    function _markFrom(bytes calldata text, uint256 pos) private pure returns (uint256) {
        unchecked {
            while (true) {
                uint256 word;
                assembly ("memory-safe") {
                    word := calldataload(add(text.offset, pos))
                }
                uint256 plain =
                    _nonZero(word ^ QUOTES) & _nonZero(word ^ BACKSLASHES) & _nonZero(word & ABOVE_CONTROL);
                uint256 marks = ~(plain | LOW_BITS);
                if (marks != 0) {
                    return pos + _leadingZeroBytes(marks);
                }
                pos += 32;
            }
        }
        return pos;
    }

    /// @dev Sets the top bit of exactly those bytes that are not zero; other bits mean nothing.
    function _nonZero(uint256 word) private pure returns (uint256) {
        unchecked {
            return ((word & LOW_BITS) + LOW_BITS) | word;
        }
    }

    /// @dev Counts the zero bytes before the first that is not.
    function _leadingZeroBytes(uint256 word) private pure returns (uint256 count) {
        unchecked {
            if (word >> 128 == 0) {
                (count, word) = (16, word << 128);
            }
            if (word >> 192 == 0) {
                (count, word) = (count + 8, word << 64);
            }
            if (word >> 224 == 0) {
                (count, word) = (count + 4, word << 32);
            }
            if (word >> 240 == 0) {
                (count, word) = (count + 2, word << 16);
            }
            if (word >> 248 == 0) {
                ++count;
            }
        }
    }
}
