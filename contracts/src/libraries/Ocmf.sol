// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ascii} from "./Ascii.sol";
import {Json} from "./Json.sol";
import {OcmfMembers} from "./OcmfMembers.sol";
import {OcmfReadings} from "./OcmfReadings.sol";
import {Words} from "./Words.sol";

/// @title Ocmf
/// @notice Reads the energy of a session out of the payload of an OCMF record, the text that a
/// charging station's meter has signed (OCMF 1.4.1).
/// @dev One walk over the text. Members as meters write them, a name of two letters and no white
/// space, are known by their first word; all others go the long way through `Json` and mean the same.
library Ocmf {
    /// @notice Thrown when pagination or readings are missing.
    error Ocmf_Incomplete();
    /// @notice Thrown when the pagination is not `T` and a number: not a whole transaction.
    error Ocmf_NotATransaction();

    /// @notice What a record says.
    /// @param page Number of the transaction page.
    /// @param idTagHash keccak256 of the user's idTag.
    /// @param hasIdTag Whether it names a user at all.
    /// @param energyWh Energy from begin to end, rounded down to Wh once.
    struct Session {
        uint64 page;
        bytes32 idTagHash;
        bool hasIdTag;
        uint256 energyWh;
    }

    uint256 private constant PAGE_DIGITS_MAX = 18;

    /// @dev The names that are read.
    uint256 private constant PG = uint16(bytes2("PG"));
    uint256 private constant ID = uint16(bytes2("ID"));
    uint256 private constant RD = uint16(bytes2("RD"));

    /// @dev How often each stood in the payload.
    uint256 private constant HAS_PG = 1 << 32;
    uint256 private constant HAS_ID = 1 << 64;
    uint256 private constant HAS_RD = 1 << 96;

    /// @dev Beginnings of members, with the comma before them, as most meters write them.
    uint256 private constant PG_TRANSACTION = uint64(bytes8(',"PG":"T'));
    uint256 private constant ID_TEXT = uint56(bytes7(',"ID":"'));
    uint256 private constant RD_ARRAY = uint56(bytes7(',"RD":['));
    uint256 private constant IF_ARRAY = uint56(bytes7(',"IF":['));
    uint256 private constant TRUE = uint32(bytes4("true"));
    uint256 private constant PAGE = uint16(bytes2('"T'));

    /// @dev The first word of a member of no use: separator, quote, a byte from `;` to `Z`, one from
    /// `I` to `X`, quote, colon, quote. These names are never read; most names in OCMF are such. With
    /// 5 or 7 added, a byte has top bits of just these if it is one of them.
    uint256 private constant SHAPE_SUM = 0x00000507000000 << 200;
    uint256 private constant SHAPE_MASK = 0xffffe0f0ffffff << 200;
    uint256 private constant SHAPE_FIRST = 0x7b224050223a22 << 200;
    uint256 private constant SHAPE_OTHER = 0x2c224050223a22 << 200;
    uint256 private constant SHAPE_MASK_NO_TEXT = 0xffffe0f0ffff00 << 200;
    uint256 private constant SHAPE_NO_TEXT = 0x2c224050223a00 << 200;

    /// @notice Returns what the payload of a transaction record says.
    function read(bytes calldata text) internal pure returns (Session memory session) {
        uint256 origin = Words.placeOf(text);
        uint256 pos = Json.skipBlank(origin);
        if (Words.byteAt(pos) != Ascii.BRACE) {
            Json.refuse(origin, pos);
        }
        uint256 shape = SHAPE_FIRST;
        uint256 seen;
        unchecked {
            while (true) {
                uint256 word = Words.wordAt(pos);
                if ((word + SHAPE_SUM) & SHAPE_MASK == shape) {
                    (pos,) = Json.contentEnd(origin, pos + 7);
                } else if ((word + SHAPE_SUM) & SHAPE_MASK_NO_TEXT == SHAPE_NO_TEXT) {
                    // Most are true.
                    pos = uint32(word >> 176) == TRUE ? pos + 10 : Json.skipValue(origin, Json.skipBlank(pos + 6), 1);
                } else if (word >> 192 == PG_TRANSACTION) {
                    pos = _page(origin, pos + 6, session);
                    seen += HAS_PG;
                } else if (word >> 200 == ID_TEXT) {
                    pos = _user(origin, pos + 6, session);
                    seen += HAS_ID;
                } else if (word >> 200 == RD_ARRAY) {
                    (session.energyWh, pos) = OcmfReadings.energyWh(origin, pos + 6);
                    seen += HAS_RD;
                } else if (word >> 200 == IF_ARRAY) {
                    pos = Json.skipArray(origin, pos + 6, 1);
                } else if (word >> 248 == Ascii.BRACE_END) {
                    ++pos;
                    break;
                } else {
                    bool more;
                    (more, pos, seen) = _member(origin, pos, shape >> 248, seen, session);
                    if (!more) {
                        break;
                    }
                }
                shape = SHAPE_OTHER;
            }
            if (pos != origin + text.length) {
                Json.checkEnd(origin, pos, origin + text.length);
            }
            if (seen & OcmfMembers.TWICE != 0) {
                OcmfMembers.refuseTwice(seen, "PGIDRD");
            }
            require(seen & (HAS_PG | HAS_RD) == HAS_PG | HAS_RD, Ocmf_Incomplete());
        }
    }

    /// @dev Reads any member of the payload, or the end of it.
    function _member(uint256 origin, uint256 pos, uint256 separator, uint256 seen, Session memory session)
        private
        pure
        returns (bool more, uint256 next, uint256)
    {
        uint256 name;
        (more, name, next) = Json.nextMember(origin, pos, separator);
        unchecked {
            if (!more) {
                return (false, next, seen);
            }
            if (name == PG) {
                return (true, _page(origin, next, session), seen + HAS_PG);
            }
            if (name == ID) {
                return (true, _user(origin, next, session), seen + HAS_ID);
            }
            if (name == RD) {
                (session.energyWh, next) = OcmfReadings.energyWh(origin, next);
                return (true, next, seen + HAS_RD);
            }
            return (true, Json.skipValue(origin, next, 1), seen);
        }
    }

    /// @dev Reads the number of a transaction page, `"T<n>"`.
    function _page(uint256 origin, uint256 pos, Session memory session) private pure returns (uint256) {
        unchecked {
            uint256 word = Words.wordAt(pos);
            uint256 number = word << 16;
            uint256 digits = Words.bytesBefore(Words.noDigits(number));
            if (Words.byteOf(number, digits) == Ascii.QUOTE) {
                // No digits at all make the difference the largest number.
                if (digits - 1 < PAGE_DIGITS_MAX) {
                    if (word >> 240 == PAGE) {
                        session.page = uint64(Words.number(number >> (256 - 8 * digits)));
                        return pos + digits + 3;
                    }
                }
            }
        }
        OcmfMembers.text(origin, pos, PG);
        revert Ocmf_NotATransaction();
    }

    /// @dev Reads the user's idTag.
    function _user(uint256 origin, uint256 pos, Session memory session) private pure returns (uint256 next) {
        uint256 length;
        (length, next) = OcmfMembers.text(origin, pos, ID);
        session.hasIdTag = length != 0;
        unchecked {
            session.idTagHash = Words.hashOf(pos + 1, length);
        }
    }
}
