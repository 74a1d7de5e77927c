// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Json
/// @notice Walks over JSON text in calldata without copying it (RFC 8259). Bad text gives a named
/// error with its position, never a panic.
library Json {
    /// @notice Thrown when the text is no JSON at `pos`.
    error Json_Malformed(uint256 pos);

    /// @dev Deeper nesting than any meter writes.
    uint256 internal constant DEPTH_MAX = 16;

    /// @notice Returns the byte at `pos`.
    function peek(bytes calldata text, uint256 pos) internal pure returns (bytes1) {
        require(pos < text.length, Json_Malformed(pos));
        return text[pos];
    }

    /// @notice Returns the first position from `pos` on that is no white space.
    function skipSpace(bytes calldata text, uint256 pos) internal pure returns (uint256) {
        while (pos < text.length && (text[pos] == " " || text[pos] == "\t" || text[pos] == "\n" || text[pos] == "\r")) {
            ++pos;
        }
        return pos;
    }

    /// @notice Returns the position after `mark`, which must come next but for white space.
    function expect(bytes calldata text, uint256 pos, bytes1 mark) internal pure returns (uint256) {
        pos = skipSpace(text, pos);
        require(peek(text, pos) == mark, Json_Malformed(pos));
        return pos + 1;
    }

    /// @notice Returns whether `mark` comes next but for white space, and the position after it if so.
    function accept(bytes calldata text, uint256 pos, bytes1 mark) internal pure returns (bool, uint256) {
        uint256 next = skipSpace(text, pos);
        if (next < text.length && text[next] == mark) {
            return (true, next + 1);
        }
        return (false, pos);
    }

    /// @notice Returns the content of the string that comes next, escapes untouched.
    function readString(bytes calldata text, uint256 pos) internal pure returns (bytes calldata content, uint256 next) {
        uint256 start = expect(text, pos, '"');
        next = start;
        while (peek(text, next) != '"') {
            require(uint8(text[next]) >= 0x20, Json_Malformed(next));
            next += text[next] == "\\" ? 2 : 1;
        }
        content = text[start:next];
        ++next;
    }

    /// @notice Returns the position after the value that comes next, whatever it is.
    function skipValue(bytes calldata text, uint256 pos, uint256 depth) internal pure returns (uint256) {
        require(depth < DEPTH_MAX, Json_Malformed(pos));
        pos = skipSpace(text, pos);
        bytes1 first = peek(text, pos);
        if (first == '"') {
            (, pos) = readString(text, pos);
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
                (, pos) = readString(text, pos);
                pos = expect(text, pos, ":");
            }
            pos = skipValue(text, pos, depth + 1);
            (more, pos) = accept(text, pos, ",");
        } while (more);
        return expect(text, pos, close);
    }

    /// @dev Skips a number, true, false or null; what it says does not matter.
    function _skipScalar(bytes calldata text, uint256 pos) private pure returns (uint256 next) {
        next = pos;
        while (next < text.length && _isScalar(text[next])) {
            ++next;
        }
        require(next > pos, Json_Malformed(pos));
    }

    function _isScalar(bytes1 one) private pure returns (bool) {
        return (one >= "0" && one <= "9") || (one >= "a" && one <= "z") || one == "-" || one == "+" || one == "."
            || one == "E";
    }
}
