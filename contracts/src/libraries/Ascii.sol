// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Ascii
/// @notice The characters that JSON is made of.
library Ascii {
    uint256 internal constant BLANK = 0x20;
    uint256 internal constant QUOTE = 0x22;
    uint256 internal constant PLUS = 0x2b;
    uint256 internal constant COMMA = 0x2c;
    uint256 internal constant MINUS = 0x2d;
    uint256 internal constant POINT = 0x2e;
    uint256 internal constant ZERO = 0x30;
    uint256 internal constant COLON = 0x3a;
    uint256 internal constant BRACKET = 0x5b;
    uint256 internal constant BACKSLASH = 0x5c;
    uint256 internal constant BRACKET_END = 0x5d;
    uint256 internal constant BRACE = 0x7b;
    uint256 internal constant BRACE_END = 0x7d;
}
