// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Json} from "./Json.sol";

/// @title Ocmf
/// @notice Reads the energy of a session out of the payload of an OCMF record, the text that a
/// charging station's meter has signed (OCMF 1.4.1).
library Ocmf {
    using Json for bytes;

    /// @notice Thrown when a known key stands twice.
    error Ocmf_DuplicateKey(bytes2 key);
    /// @notice Thrown when pagination, user or readings are missing.
    error Ocmf_Incomplete();
    /// @notice Thrown when the pagination is not `T` and a number: not a whole transaction.
    error Ocmf_NotATransaction();
    /// @notice Thrown when a text that is compared holds an escape.
    error Ocmf_Escaped(bytes2 key);
    /// @notice Thrown when a register value is no plain decimal number.
    error Ocmf_BadValue(uint256 pos);
    /// @notice Thrown when a unit is neither kWh nor Wh.
    error Ocmf_BadUnit();
    /// @notice Thrown when there is no begin reading.
    error Ocmf_NoBegin();
    /// @notice Thrown when there is no end reading.
    error Ocmf_NoEnd();
    /// @notice Thrown when the meter itself says that the energy must not be billed.
    error Ocmf_EnergyUnusable();
    /// @notice Thrown when the end register is below the begin register.
    error Ocmf_Backwards(uint256 begin, uint256 end);

    /// @dev Registers are kept in 10^-18 Wh, so that every number of decimals is exact.
    uint256 private constant SCALE = 18;
    uint256 private constant DECIMALS_MAX = 12;
    uint256 private constant DIGITS_MAX = 18;

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

    /// @dev One reading, what it omits inherited from the one before.
    struct Reading {
        bytes1 reason;
        bool isKwh;
        bool hasUnit;
        bool isGood;
        bool isFlagged;
        bool hasValue;
        uint256 mantissa;
        uint256 decimals;
    }

    /// @dev The two readings that count.
    struct Registers {
        bool hasBegin;
        bool hasEnd;
        bool usable;
        uint256 begin;
        uint256 end;
    }

    /// @notice Returns what the payload of a transaction record says.
    function read(bytes calldata text) internal pure returns (Session memory session) {
        uint256 seen;
        bool more = true;
        uint256 pos = text.expect(0, "{");
        while (more) {
            bytes2 name;
            (name, pos) = text.readShortKey(pos);
            uint256 bit;
            (bit, pos) = _topLevel(text, pos, name, session);
            require(seen & bit == 0, Ocmf_DuplicateKey(name));
            seen |= bit;
            (more, pos) = text.accept(pos, ",");
        }
        text.expectEnd(text.expect(pos, "}"));
        require(seen & 5 == 5, Ocmf_Incomplete());
    }

    /// @dev Reads one member of the payload; returns a bit for each known key.
    function _topLevel(bytes calldata text, uint256 pos, bytes2 name, Session memory session)
        private
        pure
        returns (uint256 bit, uint256 next)
    {
        bytes calldata content;
        if (name == "PG") {
            (content, next) = _plainString(text, pos, name);
            session.page = _page(content);
            return (1, next);
        }
        if (name == "ID") {
            (content, next) = _plainString(text, pos, name);
            session.hasIdTag = content.length != 0;
            session.idTagHash = keccak256(content);
            return (2, next);
        }
        if (name == "RD") {
            (session.energyWh, next) = _energy(text, pos);
            return (4, next);
        }
        return (0, text.skipValue(pos, 0));
    }

    /// @dev Returns the number of a transaction page, `T<n>`.
    function _page(bytes calldata content) private pure returns (uint64 page) {
        require(content.length >= 2 && content.length <= DIGITS_MAX + 1 && content.byteAt(0) == "T", Ocmf_NotATransaction());
        unchecked {
            for (uint256 i = 1; i < content.length; ++i) {
                bytes1 one = content.byteAt(i);
                require(one >= "0" && one <= "9", Ocmf_NotATransaction());
                page = page * 10 + uint8(one) - 48;
            }
        }
    }

    /// @dev Reads the readings and returns the energy between the first begin and the last end.
    function _energy(bytes calldata text, uint256 pos) private pure returns (uint256 energyWh, uint256 next) {
        Registers memory registers;
        registers.usable = true;
        Reading memory reading;
        bool more = true;
        next = text.expect(pos, "[");
        while (more) {
            next = _reading(text, next, reading);
            _take(reading, registers);
            (more, next) = text.accept(next, ",");
        }
        next = text.expect(next, "]");
        require(registers.hasBegin, Ocmf_NoBegin());
        require(registers.hasEnd, Ocmf_NoEnd());
        require(registers.usable, Ocmf_EnergyUnusable());
        require(registers.begin <= registers.end, Ocmf_Backwards(registers.begin, registers.end));
        energyWh = (registers.end - registers.begin) / 10 ** SCALE;
    }

    /// @dev Notes a reading if it is the first begin or the latest end.
    function _take(Reading memory reading, Registers memory registers) private pure {
        bytes1 reason = reading.reason;
        bool isEnd = reason == "E" || reason == "L" || reason == "R" || reason == "A";
        bool isBegin = reason == "B" && !registers.hasBegin;
        if (!isBegin && !isEnd) {
            return;
        }
        uint256 value = reading.mantissa * 10 ** (SCALE - reading.decimals + (reading.isKwh ? 3 : 0));
        if (isBegin) {
            (registers.begin, registers.hasBegin) = (value, true);
            registers.usable = reading.isGood && !reading.isFlagged;
            return;
        }
        (registers.end, registers.hasEnd) = (value, true);
        registers.usable = registers.usable && reading.isGood && !reading.isFlagged;
    }

    /// @dev Reads one reading over the one before, which it inherits from.
    function _reading(bytes calldata text, uint256 pos, Reading memory reading) private pure returns (uint256) {
        reading.hasValue = false;
        uint256 seen;
        bool more = true;
        pos = text.expect(pos, "{");
        while (more) {
            bytes2 name;
            (name, pos) = text.readShortKey(pos);
            uint256 bit;
            (bit, pos) = _field(text, pos, name, reading);
            require(seen & bit == 0, Ocmf_DuplicateKey(name));
            seen |= bit;
            (more, pos) = text.accept(pos, ",");
        }
        require(reading.hasValue, Ocmf_BadValue(pos));
        require(reading.hasUnit, Ocmf_BadUnit());
        return text.expect(pos, "}");
    }

    /// @dev Reads one field of a reading; returns a bit for each known key.
    function _field(bytes calldata text, uint256 pos, bytes2 name, Reading memory reading)
        private
        pure
        returns (uint256 bit, uint256 next)
    {
        if (name == "RV") {
            return (1, _value(text, pos, reading));
        }
        bytes calldata content;
        if (name == "TX") {
            (content, next) = _plainString(text, pos, name);
            reading.reason = content.length == 1 ? content.byteAt(0) : bytes1(0);
            return (2, next);
        }
        if (name == "RU") {
            (content, next) = _plainString(text, pos, name);
            reading.isKwh = content.length == 3 && bytes3(content) == "kWh";
            require(reading.isKwh || (content.length == 2 && bytes2(content) == "Wh"), Ocmf_BadUnit());
            reading.hasUnit = true;
            return (4, next);
        }
        if (name == "ST") {
            (content, next) = _plainString(text, pos, name);
            reading.isGood = content.length == 1 && content.byteAt(0) == "G";
            return (8, next);
        }
        if (name == "EF") {
            (content, next) = _plainString(text, pos, name);
            reading.isFlagged = _holds(content, "E");
            return (16, next);
        }
        return (0, text.skipValue(pos, 1));
    }

    /// @dev Reads a register value, a number or a string of one; padding with blanks is allowed.
    function _value(bytes calldata text, uint256 pos, Reading memory reading) private pure returns (uint256) {
        bool quoted;
        (quoted, pos) = text.accept(pos, '"');
        bytes1 one;
        (one, pos) = text.peek(pos);
        uint256 mantissa;
        uint256 digits;
        uint256 decimals;
        bool inDecimals;
        unchecked {
            // Neither loop nor product overflows: at most 18 digits and 12 decimals are taken.
            while (true) {
                if (one >= "0" && one <= "9") {
                    mantissa = mantissa * 10 + uint8(one) - 48;
                    if (inDecimals) {
                        ++decimals;
                    } else {
                        ++digits;
                    }
                    require(digits <= DIGITS_MAX && decimals <= DECIMALS_MAX, Ocmf_BadValue(pos));
                } else if (one == "." && !inDecimals && digits != 0) {
                    inDecimals = true;
                } else {
                    break;
                }
                one = text.byteAt(++pos);
            }
        }
        require(digits != 0 && (!inDecimals || decimals != 0), Ocmf_BadValue(pos));
        (reading.mantissa, reading.decimals, reading.hasValue) = (mantissa, decimals, true);
        return quoted ? text.expect(pos, '"') : pos;
    }

    /// @dev Reads a string that is compared; an escape in it could hide what it says.
    function _plainString(bytes calldata text, uint256 pos, bytes2 name)
        private
        pure
        returns (bytes calldata content, uint256 next)
    {
        bool escaped;
        (content, next, escaped) = text.readString(pos);
        require(!escaped, Ocmf_Escaped(name));
    }

    function _holds(bytes calldata content, bytes1 wanted) private pure returns (bool) {
        for (uint256 i = 0; i < content.length; ++i) {
            if (content.byteAt(i) == wanted) {
                return true;
            }
        }
        return false;
    }
}
