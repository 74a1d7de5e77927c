// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ascii} from "./Ascii.sol";
import {Json} from "./Json.sol";
import {OcmfMembers} from "./OcmfMembers.sol";
import {OcmfRegisters} from "./OcmfRegisters.sol";
import {OcmfValues} from "./OcmfValues.sol";
import {Words} from "./Words.sol";

/// @title OcmfReadings
/// @notice Reads the readings of a record and finds those two that are billed.
/// @dev The begin is the first reading with reason `B` of a register that is billed and in a unit of
/// energy; the end is the last one after it with reason `E`, `L`, `R` or `A`, of the same register
/// and in a unit of energy. All others are passed over, whatever they say. A reading that omits a
/// member other than its value has that of the reading before (OCMF 1.4.1, table 7).
library OcmfReadings {
    /// @notice Thrown when the register value of begin or end, at `pos`, is no plain decimal number.
    error Ocmf_BadValue(uint256 pos);
    /// @notice Thrown when there is no begin reading of an energy register.
    error Ocmf_NoBegin();
    /// @notice Thrown when there is no end reading of the same register after the begin.
    error Ocmf_NoEnd();
    /// @notice Thrown when the meter itself says that the energy must not be billed.
    error Ocmf_EnergyUnusable();
    /// @notice Thrown when the end register is below the begin register, both in 10^-12 Wh.
    error Ocmf_Backwards(uint256 begin, uint256 end);

    /// @dev The names that are read.
    uint256 private constant TX = uint16(bytes2("TX"));
    uint256 private constant RV = uint16(bytes2("RV"));
    uint256 private constant RI = uint16(bytes2("RI"));
    uint256 private constant RU = uint16(bytes2("RU"));
    uint256 private constant EF = uint16(bytes2("EF"));
    uint256 private constant ST = uint16(bytes2("ST"));

    /// @dev Beginnings of members, with the separator before them, as most meters write them.
    uint256 private constant OPENING_FIRST = uint64(bytes8('[{"TM":"'));
    uint256 private constant OPENING_OTHER = uint64(bytes8(',{"TM":"'));
    uint256 private constant TX_BEGIN = uint72(bytes9(',"TX":"B"'));
    uint256 private constant TX_END = uint72(bytes9(',"TX":"E"'));
    uint256 private constant RV_ANY = uint48(bytes6(',"RV":'));
    uint256 private constant RI_TEXT = uint56(bytes7(',"RI":"'));
    uint256 private constant RU_KWH = uint88(bytes11(',"RU":"kWh"'));
    uint256 private constant RU_WH = uint80(bytes10(',"RU":"Wh"'));
    uint256 private constant EF_NONE = uint64(bytes8(',"EF":""'));
    uint256 private constant ST_GOOD = uint72(bytes9(',"ST":"G"'));

    /// @dev What holds of a reading, and of the next unless that says otherwise.
    uint256 private constant NOT_GOOD = 1;
    uint256 private constant FLAGGED = 2;
    uint256 private constant BEGIN = 4;
    uint256 private constant END = 8;
    uint256 private constant KILO = 16;
    uint256 private constant ENERGY = 32;
    uint256 private constant INHERITED = 63;

    /// @dev How often each name stood in a reading, beside what holds of it.
    uint256 private constant HAS_TX = 1 << 32;
    uint256 private constant HAS_RV = 1 << 64;
    uint256 private constant HAS_RI = 1 << 96;
    uint256 private constant HAS_RU = 1 << 128;
    uint256 private constant HAS_EF = 1 << 160;
    uint256 private constant HAS_ST = 1 << 192;

    /// @dev Begin and end are kept as their value, and from this bit on what holds of them, which is
    /// never nothing.
    uint256 private constant FACTS = 240;
    uint256 private constant VALUE = (1 << 128) - 1;

    /// @notice Reads the array of readings; returns the energy from begin to end, and the place after
    /// the array.
    /// @dev Each step of the inner loop takes one member if it comes next; in the order in which meters
    /// write them, one turn takes a whole reading. What none of them takes goes through `_field`.
    function energyWh(uint256 origin, uint256 pos) internal pure returns (uint256, uint256) {
        uint256 begin;
        uint256 end;
        uint256 billed;
        uint256 state = NOT_GOOD;
        uint256 register = OcmfRegisters.NAMELESS;
        uint256 opening = OPENING_FIRST;
        unchecked {
            while (true) {
                uint256 word = Words.wordAt(pos);
                uint256 value = OcmfValues.UNREADABLE | (pos - origin);
                bool more = true;
                state &= INHERITED;
                if (word >> 192 == opening) {
                    (pos,) = Json.contentEnd(origin, pos + 8);
                } else {
                    (more, pos) = Json.nextElement(origin, pos, opening >> 56);
                    if (!more) {
                        break;
                    }
                    (more, pos, state, register, value) = _field(origin, pos, Ascii.BRACE, state, register, value);
                }
                opening = OPENING_OTHER;
                while (more) {
                    uint256 start = pos;
                    word = Words.wordAt(pos);
                    if (word >> 184 == TX_BEGIN) {
                        state = ((state & ~END) | BEGIN) + HAS_TX;
                        word = Words.wordAt(pos += 9);
                    } else if (word >> 184 == TX_END) {
                        state = ((state & ~BEGIN) | END) + HAS_TX;
                        word = Words.wordAt(pos += 9);
                    }
                    if (word >> 208 == RV_ANY) {
                        (value, pos) = OcmfValues.read(origin, pos + 6);
                        state += HAS_RV;
                        word = Words.wordAt(pos);
                    }
                    if (word >> 200 == RI_TEXT) {
                        uint256 size = register & 0xff;
                        if ((Words.wordAt(pos + 7) ^ register) >> (256 - 8 * size) == 0) {
                            pos += size + 7;
                        } else {
                            (register, pos) = OcmfRegisters.read(origin, pos + 6);
                        }
                        state += HAS_RI;
                        word = Words.wordAt(pos);
                    }
                    if (word >> 168 == RU_KWH) {
                        state = (state | KILO | ENERGY) + HAS_RU;
                        word = Words.wordAt(pos += 11);
                    } else if (word >> 176 == RU_WH) {
                        state = ((state & ~KILO) | ENERGY) + HAS_RU;
                        word = Words.wordAt(pos += 10);
                    }
                    if (word >> 192 == EF_NONE) {
                        state = (state & ~FLAGGED) + HAS_EF;
                        word = Words.wordAt(pos += 8);
                    }
                    if (word >> 184 == ST_GOOD) {
                        state = (state & ~NOT_GOOD) + HAS_ST;
                        word = Words.wordAt(pos += 9);
                    }
                    if (word >> 248 == Ascii.BRACE_END) {
                        ++pos;
                        break;
                    }
                    if (pos == start) {
                        (more, pos, state, register, value) = _field(origin, pos, Ascii.COMMA, state, register, value);
                    }
                }
                if (state & OcmfMembers.TWICE != 0) {
                    OcmfMembers.refuseTwice(state, "TXRVRIRUEFST");
                }
                if (begin == 0) {
                    if (state & (ENERGY | BEGIN) == ENERGY | BEGIN) {
                        if (register != OcmfRegisters.NOT_BILLED) {
                            begin = (state & INHERITED) << FACTS | value;
                            billed = register;
                        }
                    }
                } else if (state & (ENERGY | END) == ENERGY | END) {
                    if (register == billed) {
                        end = (state & INHERITED) << FACTS | value;
                    }
                }
                if (Words.byteAt(pos) == Ascii.BRACKET_END) {
                    ++pos;
                    break;
                }
            }
        }
        return (_difference(begin, end), pos);
    }

    /// @dev Returns the energy between two readings, each its value and what holds of it.
    function _difference(uint256 begin, uint256 end) private pure returns (uint256) {
        require(begin != 0, Ocmf_NoBegin());
        require(end != 0, Ocmf_NoEnd());
        require((begin | end) & ((NOT_GOOD | FLAGGED) << FACTS) == 0, Ocmf_EnergyUnusable());
        if ((begin | end) & OcmfValues.UNREADABLE != 0) {
            revert Ocmf_BadValue((begin & OcmfValues.UNREADABLE != 0 ? begin : end) & VALUE);
        }
        unchecked {
            // A value is below 10^30.
            begin = begin & (KILO << FACTS) == 0 ? begin & VALUE : (begin & VALUE) * 1000;
            end = end & (KILO << FACTS) == 0 ? end & VALUE : (end & VALUE) * 1000;
            require(begin <= end, Ocmf_Backwards(begin, end));
            return (end - begin) / 10 ** OcmfValues.DECIMALS_MAX;
        }
    }

    /// @dev Reads any member of a reading, or the end of it.
    function _field(uint256 origin, uint256 pos, uint256 separator, uint256 state, uint256 register, uint256 value)
        private
        pure
        returns (bool more, uint256 next, uint256, uint256, uint256)
    {
        uint256 name;
        (more, name, next) = Json.nextMember(origin, pos, separator);
        if (more) {
            unchecked {
                if (name == RV) {
                    (value, next) = OcmfValues.readAny(origin, next);
                    state += HAS_RV;
                } else if (name == RI) {
                    (register, next) = OcmfRegisters.read(origin, next);
                    state += HAS_RI;
                } else if (name == TX || name == RU || name == EF || name == ST) {
                    uint256 content = next + 1;
                    uint256 length;
                    (length, next) = OcmfMembers.text(origin, next, name);
                    state = _fact(state, name, content, length);
                } else {
                    next = Json.skipValue(origin, next, 3);
                }
            }
        }
        return (more, next, state, register, value);
    }

    /// @dev Notes what a text says of a reading: its reason, unit, flags or status.
    function _fact(uint256 state, uint256 name, uint256 content, uint256 length) private pure returns (uint256) {
        unchecked {
            if (name == EF) {
                state = (state & ~FLAGGED) + HAS_EF;
                for (uint256 i = content; i < content + length; ++i) {
                    state |= Words.byteAt(i) == 0x45 ? FLAGGED : 0;
                }
                return state;
            }
            // Texts of up to three bytes, of which the rest is cut off; no longer one is known.
            uint256 text = length > 3 ? 0 : Words.wordAt(content) >> (256 - 8 * length);
            if (name == TX) {
                bool isEnd = text == 0x45 || text == 0x4c || text == 0x52 || text == 0x41;
                return (state & ~(BEGIN | END)) + HAS_TX + (text == 0x42 ? BEGIN : isEnd ? END : 0);
            }
            if (name == RU) {
                return
                    (state & ~(KILO | ENERGY)) + HAS_RU
                        + (text == 0x6b5768 ? KILO | ENERGY : text == 0x5768 ? ENERGY : 0);
            }
            return (state & ~NOT_GOOD) + HAS_ST + (text == 0x47 ? 0 : NOT_GOOD);
        }
    }
}
