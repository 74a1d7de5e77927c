// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ascii} from "./Ascii.sol";
import {OcmfMembers} from "./OcmfMembers.sol";
import {Words} from "./Words.sol";

/// @title OcmfRegisters
/// @notice Tells registers by their OBIS codes, and which of them are billed.
/// @dev A register goes by its OBIS text, closing quote and all, and its number of bytes in the last
/// byte of the word. A reading that names none has the empty text; every register that is not billed
/// goes by the text `?`, which is none of those that are.
library OcmfRegisters {
    uint256 internal constant NAMELESS = 0x22 << 248 | 1;
    uint256 internal constant NOT_BILLED = 0x3f22 << 240 | 2;

    uint256 private constant BYTES_MAX = 30;
    uint256 private constant RI = uint16(bytes2("RI"));
    /// @dev The only register of most meters.
    uint256 private constant USUAL = uint88(bytes11('"1-b:1.8.0"'));

    /// @notice Reads which register a reading is of.
    function read(uint256 origin, uint256 pos) internal pure returns (uint256, uint256) {
        unchecked {
            uint256 word = Words.wordAt(pos);
            if (word >> 168 == USUAL) {
                return (USUAL << 176 | 10, pos + 11);
            }
            (uint256 length, uint256 next) = OcmfMembers.text(origin, pos, RI);
            if (length > BYTES_MAX) {
                return (NOT_BILLED, next);
            }
            uint256 rest = 256 - 8 * length;
            word = word << 8 >> rest << rest;
            return (_isBilled(word) ? word | Ascii.QUOTE << (rest - 8) | (length + 1) : NOT_BILLED, next);
        }
    }

    /// @dev Returns whether an OBIS code is of a register of imported active energy: after medium and
    /// channel, up to a colon, the quantity 1 (active power, import), or one of the registers B0 to
    /// B3 that OCMF reserves for imports; then the kind 8 (time integral from the first start to
    /// now), or else it is not the standing of a meter. 1.9, which some meters write beside it, is
    /// energy since the last billing period began. A text of none is of the meter's only register.
    function _isBilled(uint256 word) private pure returns (bool) {
        unchecked {
            if (word == 0) {
                return true;
            }
            uint256 colons = Words.colons(word);
            word = colons == 0 ? word : word << 8 * (Words.bytesBefore(colons) + 1);
            uint256 two = word >> 240;
            if (two | 0x2000 >= 0x6230 && two | 0x2000 <= 0x6233) {
                word <<= 16; // B0 to B3
            } else if (two == 0x3031) {
                word <<= 16; // 01
            } else if (two >> 8 == 0x31) {
                word <<= 8; // 1
            } else {
                return false;
            }
            if (word >> 232 == 0x2e3038) {
                word <<= 24; // .08
            } else if (word >> 240 == 0x2e38) {
                word <<= 16; // .8
            } else {
                return false;
            }
            word >>= 248;
            return word == 0 || word == 0x2e || word == 0x2a;
        }
    }
}
