// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ascii} from "./Ascii.sol";
import {Words} from "./Words.sol";

/// @title Json
/// @notice Walks over the JSON of signed records where it lies in call data (RFC 8259). Bad text
/// gives a named error with its position, never a panic.
/// @dev Places are places in call data; `origin` is where the text begins. No step looks for the
/// end of the text: whoever begins a walk compares its last place with the end, and since places
/// only grow, nothing behind the text was read if the two are equal. All call data ends in zeros,
/// which are no JSON, so every walk ends. Places grow by less than 64 a step from within call data
/// and cannot overflow; that is what every `unchecked` here rests on.
library Json {
    /// @notice Thrown when the text is no JSON at `pos`, as strictly as records are read: in UTF-8,
    /// keys without escapes, no more than `DEPTH_MAX` objects and arrays in one another, and no bar,
    /// which stands only between the sections of a record (OCMF 1.4.1).
    error Json_Malformed(uint256 pos);

    /// @dev Deeper nesting than any meter writes.
    uint256 internal constant DEPTH_MAX = 16;

    uint256 private constant TRUE = uint32(bytes4("true"));
    uint256 private constant NULL = uint32(bytes4("null"));
    uint256 private constant FALSE = uint40(bytes5("false"));

    /// @notice Refuses the text because of what stands at `pos`.
    function refuse(uint256 origin, uint256 pos) internal pure {
        unchecked {
            revert Json_Malformed(pos - origin);
        }
    }

    /// @notice Returns the place after white space.
    function skipBlank(uint256 pos) internal pure returns (uint256) {
        unchecked {
            while (isBlank(Words.byteAt(pos))) {
                ++pos;
            }
        }
        return pos;
    }

    /// @notice Returns whether a byte is white space: blank, tab, line feed, or carriage return.
    function isBlank(uint256 one) internal pure returns (bool) {
        return (1 << 0x20 | 1 << 0x09 | 1 << 0x0a | 1 << 0x0d) >> one & 1 != 0;
    }

    /// @notice Requires that nothing but white space is left from `pos` to the end of the text.
    function checkEnd(uint256 origin, uint256 pos, uint256 end) internal pure {
        unchecked {
            while (pos < end && isBlank(Words.byteAt(pos))) {
                ++pos;
            }
        }
        if (pos != end) {
            refuse(origin, pos);
        }
    }

    /// @notice Goes on in an object: to the value of its next member, whose name is given if it has
    /// two bytes, else zero; or behind the object, if there are no more.
    /// @param separator What the members so far are followed by: a comma, or before the first the
    /// opening brace.
    function nextMember(uint256 origin, uint256 pos, uint256 separator)
        internal
        pure
        returns (bool more, uint256 name, uint256 next)
    {
        (more, next) = _nextPart(origin, pos, separator, Ascii.BRACE_END);
        if (more) {
            uint256 key = next;
            bool escaped;
            (next, escaped) = stringEnd(origin, key);
            if (escaped) {
                refuse(origin, key);
            }
            unchecked {
                name = next - key == 4 ? uint16(Words.wordAt(key) >> 232) : 0;
                next = skipBlank(next);
                if (Words.byteAt(next) != Ascii.COLON) {
                    refuse(origin, next);
                }
                next = skipBlank(next + 1);
            }
        }
    }

    /// @notice Goes on in an array: to its next element, or behind the array if there are no more.
    /// @param separator What the elements so far are followed by: a comma, or before the first the
    /// opening bracket.
    function nextElement(uint256 origin, uint256 pos, uint256 separator)
        internal
        pure
        returns (bool more, uint256 next)
    {
        return _nextPart(origin, pos, separator, Ascii.BRACKET_END);
    }

    /// @dev Goes behind `separator`, or behind `closing` if that comes instead; behind an opening
    /// separator, too.
    function _nextPart(uint256 origin, uint256 pos, uint256 separator, uint256 closing)
        private
        pure
        returns (bool, uint256)
    {
        unchecked {
            pos = skipBlank(pos);
            uint256 one = Words.byteAt(pos);
            if (one == separator) {
                pos = skipBlank(pos + 1);
                if (separator == Ascii.COMMA || Words.byteAt(pos) != closing) {
                    return (true, pos);
                }
            } else if (separator != Ascii.COMMA || one != closing) {
                refuse(origin, pos);
            }
            return (false, pos + 1);
        }
    }

    /// @notice Returns the place after the value at `pos`, whatever it is.
    /// @param depth How many objects and arrays it lies in.
    function skipValue(uint256 origin, uint256 pos, uint256 depth) internal pure returns (uint256 next) {
        uint256 first = Words.byteAt(pos);
        if (first == Ascii.QUOTE) {
            (next,) = stringEnd(origin, pos);
        } else if (first == Ascii.BRACE || first == Ascii.BRACKET) {
            next = _skipNested(origin, pos, depth);
        } else {
            unchecked {
                uint256 word = Words.wordAt(pos);
                if (word >> 224 == TRUE || word >> 224 == NULL) {
                    next = pos + 4;
                } else if (word >> 216 == FALSE) {
                    next = pos + 5;
                } else {
                    next = _numberEnd(origin, pos);
                }
            }
        }
    }

    /// @notice Skips an array, fast if it is one of strings without white space.
    /// @param depth How many objects and arrays it lies in.
    function skipArray(uint256 origin, uint256 pos, uint256 depth) internal pure returns (uint256) {
        uint256 next = pos;
        unchecked {
            uint256 word = Words.wordAt(next);
            if (word >> 240 == uint16(bytes2('["'))) {
                do {
                    (next,) = contentEnd(origin, next + 2);
                    word = Words.wordAt(next);
                } while (word >> 240 == uint16(bytes2(',"')));
                if (word >> 248 == Ascii.BRACKET_END) {
                    return next + 1;
                }
            }
        }
        return skipValue(origin, pos, depth);
    }

    /// @dev Skips an object or an array.
    function _skipNested(uint256 origin, uint256 pos, uint256 depth) private pure returns (uint256) {
        if (depth >= DEPTH_MAX) {
            refuse(origin, pos);
        }
        uint256 separator = Words.byteAt(pos);
        bool isObject = separator == Ascii.BRACE;
        while (true) {
            bool more;
            if (isObject) {
                (more,, pos) = nextMember(origin, pos, separator);
            } else {
                (more, pos) = nextElement(origin, pos, separator);
            }
            if (!more) {
                break;
            }
            separator = Ascii.COMMA;
            unchecked {
                pos = skipValue(origin, pos, depth + 1);
            }
        }
        return pos;
    }

    /// @notice Returns the place after the string at `pos`, and whether there are escapes in it.
    function stringEnd(uint256 origin, uint256 pos) internal pure returns (uint256, bool) {
        if (Words.byteAt(pos) != Ascii.QUOTE) {
            refuse(origin, pos);
        }
        unchecked {
            return contentEnd(origin, pos + 1);
        }
    }

    /// @notice Returns the place after the string whose content begins at `pos`, and whether there
    /// are escapes in it.
    function contentEnd(uint256 origin, uint256 pos) internal pure returns (uint256, bool escaped) {
        unchecked {
            while (true) {
                uint256 word = Words.wordAt(pos);
                uint256 plain = Words.plainBytes(word);
                uint256 one = Words.byteOf(word, plain);
                if (one == Ascii.QUOTE) {
                    return (pos + plain + 1, escaped);
                }
                pos += plain;
                if (one == Ascii.BACKSLASH) {
                    escaped = true;
                    pos = _escapeEnd(origin, pos);
                } else if (plain != 32) {
                    pos = _characterEnd(origin, pos);
                }
            }
        }
        return (pos, escaped);
    }

    /// @dev Returns the place after the escape at `pos`: a backslash with `"\/bfnrt`, or with `u` and
    /// four hexadecimal digits.
    function _escapeEnd(uint256 origin, uint256 pos) private pure returns (uint256 next) {
        unchecked {
            bytes1 one = bytes1(uint8(Words.wordAt(pos) >> 240));
            next = pos + 2;
            if (one == "u") {
                for (; next < pos + 6; ++next) {
                    bytes1 digit = bytes1(uint8(Words.byteAt(next)));
                    bool isHex = (digit >= "0" && digit <= "9") || (digit >= "a" && digit <= "f")
                        || (digit >= "A" && digit <= "F");
                    if (!isHex) {
                        refuse(origin, next);
                    }
                }
            } else if (
                one != '"' && one != "\\" && one != "/" && one != "b" && one != "f" && one != "n" && one != "r"
                    && one != "t"
            ) {
                refuse(origin, pos);
            }
        }
    }

    /// @dev Returns the place after the character at `pos`, of more than one byte (RFC 3629 §4).
    function _characterEnd(uint256 origin, uint256 pos) private pure returns (uint256) {
        unchecked {
            uint256 word = Words.wordAt(pos);
            uint256 two = word >> 240;
            if (two >= 0xc280 && two <= 0xdfbf && two & 0xc0 == 0x80) {
                return pos + 2;
            }
            uint256 three = word >> 232;
            // Neither longer than it need be nor a surrogate.
            if (three & 0xf0c0c0 == 0xe08080 && two >= 0xe0a0 && (two < 0xeda0 || two > 0xedbf)) {
                return pos + 3;
            }
            uint256 four = word >> 224;
            if (four & 0xf8c0c0c0 != 0xf0808080 || two < 0xf090 || two > 0xf48f) {
                refuse(origin, pos);
            }
            return pos + 4;
        }
    }

    /// @dev Returns the place after the number at `pos`.
    function _numberEnd(uint256 origin, uint256 pos) private pure returns (uint256 next) {
        unchecked {
            next = Words.byteAt(pos) == Ascii.MINUS ? pos + 1 : pos;
            next = Words.byteAt(next) == Ascii.ZERO ? next + 1 : _digitsEnd(origin, next);
            if (Words.byteAt(next) == Ascii.POINT) {
                next = _digitsEnd(origin, next + 1);
            }
            if (Words.byteAt(next) | 0x20 == 0x65) {
                uint256 sign = Words.byteAt(next + 1);
                next = _digitsEnd(origin, sign == Ascii.PLUS || sign == Ascii.MINUS ? next + 2 : next + 1);
            }
        }
    }

    /// @dev Returns the place after the digits at `pos`, of which there must be one.
    function _digitsEnd(uint256 origin, uint256 pos) private pure returns (uint256 next) {
        unchecked {
            next = pos;
            while (Words.byteAt(next) - Ascii.ZERO < 10) {
                ++next;
            }
        }
        if (next == pos) {
            refuse(origin, pos);
        }
    }
}
