// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "forge-std/Vm.sol";

/// @title Shapes
/// @notice Records as the meters of several vendors write them; tests/contracts/data has where they
/// are from. Registers are in tenths of a Wh, of which a vendor's meter shows a multiple.
library Shapes {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 internal constant COUNT = 5;

    /// @notice Returns the tenths of a Wh that one step of a meter's register stands for.
    function step(uint256 shape) internal pure returns (uint64) {
        return [1, 100, 10, 10, 1][shape];
    }

    /// @notice Returns the record of a session.
    function write(uint256 shape, uint64 page, string memory tag, uint64 begin, uint64 end)
        internal
        pure
        returns (bytes memory)
    {
        string memory number = VM.toString(page);
        string memory first = _value(shape, begin);
        string memory last = _value(shape, end);
        if (shape == 0) {
            return _keba(number, tag, first, last);
        } else if (shape == 1) {
            return _kebaWithSession(number, tag, first, last);
        } else if (shape == 2) {
            return _ebz(number, tag, first, last);
        } else if (shape == 3) {
            return _bauer(number, tag, first, last);
        }
        return _twin(number, tag, first, last);
    }

    function _keba(string memory page, string memory tag, string memory begin, string memory end)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(
            '{"FV":"1.0","GI":"KEBA_KCP30","GS":"17619300","GV":"2.8.5","PG":"T',
            page,
            '","IS":false,"IL":"NONE","IF":["RFID_NONE","OCPP_NONE"],"IT":"NONE","ID":"',
            tag,
            '","RD":[{"TM":"2019-08-13T10:03:15,000+0000 I","TX":"B","EF":"","ST":"G","RV":',
            begin,
            ',"RI":"1-b:1.8.0","RU":"kWh"},{"TM":"2019-08-13T10:03:36,000+0000 R","TX":"E","EF":"","ST":"G","RV":',
            end,
            ',"RI":"1-b:1.8.0","RU":"kWh"}]}'
        );
    }

    /// @dev The third reading is of a register that is not billed.
    function _kebaWithSession(string memory page, string memory tag, string memory begin, string memory end)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(
            '{"FV":"1.0","GI":"KEBA_KCP30","GS":"16913115","GV":"2080000","PG":"T',
            page,
            '","IS":false,"IF":[],"ID":"',
            tag,
            '","RD":[{"TM":"1970-01-01T01:01:49,000+0100 U","TX":"B","EF":"","ST":"G","RV":',
            begin,
            ',"RI":"1-b:1.8.0","RU":"kWh"},{"TM":"1970-01-01T01:01:49,000+0100 R","TX":"E","EF":"","ST":"G","RV":',
            end,
            ',"RI":"1-b:1.8.0","RU":"kWh"},{"RV":0.00,"RI":"1-b:1.9.0","RU":"kWh"}]}'
        );
    }

    function _ebz(string memory page, string memory tag, string memory begin, string memory end)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(
            '{"FV":"1.0","GI":"eBZ LD3","GS":"1EBZ0300034628","GV":"V207","MS":"1EBZ0300034628","PG":"T',
            page,
            '","IS":true,"IL":"TRUSTED","IT":"EMAID","ID":"',
            tag,
            '","CI":"Dies","CT":"EVSEID","RD":[{"TM":"2022-10-27T19:15:20,000+0200 I","TX":"B","RV":',
            begin,
            ',"RI":"1-b:1.8.e","RU":"Wh","ST":"G"},{"TM":"2022-10-27T19:20:06,000+0200 I","TX":"E","RV":',
            end,
            ',"RI":"1-b:1.8.e","RU":"Wh","ST":"G"}]}'
        );
    }

    /// @dev The second reading says only what is not as it was in the first.
    function _bauer(string memory page, string memory tag, string memory begin, string memory end)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(
            '{"FV":"1.0","GI":"BAUER Electronic BSM-WS36A-H01-1311-0000","GS":"001BZR1521070006","PG":"T',
            page,
            '","MV":"BAUER Electronic","IS":true,"IT":"UNDEFINED","ID":"',
            tag,
            '","RD":[{"TM":"2021-10-07T15:38:05,000+0200 S","TX":"B","RV":',
            begin,
            ',"RI":"1-0:1.8.0*198","RU":"Wh","XV":76040,"XI":"1-0:1.8.0*255","XU":"Wh","RT":"AC","EF":"t","ST":"G"},',
            '{"TX":"E","RV":',
            end,
            ',"XV":76040,"XT":4}]}'
        );
    }

    /// @dev White space, numbers as texts, and the user last.
    function _twin(string memory page, string memory tag, string memory begin, string memory end)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(
            '{"FV": 1.0, "GI": "TwinCharger Pro 2.1.0", "GS": "TC_00010", "PG": "T',
            page,
            '", "MV": "DZG", "CT": 0, "RD": [{"TM": "2021-04-09T09:09:51,000+0200 I", "TX": "B", "RV": "',
            begin,
            '", "RI": "1-0:1.8.0", "RU": "kWh", "RT": "AC", "EF": "", "ST": "G"}, ',
            '{"TM": "2021-04-09T09:21:30,000+0200 I", "TX": "E", "RV": "',
            end,
            '", "RI": "1-0:1.8.0", "RU": "kWh", "RT": "AC", "EF": "", "ST": "G"}], "IS": true, "ID": "',
            tag,
            '"}'
        );
    }

    /// @dev Returns a register as the vendor writes it: in kWh with decimals, or in whole Wh.
    function _value(uint256 shape, uint64 tenths) private pure returns (string memory) {
        if (shape == 2 || shape == 3) {
            return VM.toString(tenths / 10);
        }
        // A one before the decimals keeps the zeros that they begin with.
        bytes memory decimals = bytes(VM.toString(10_000 + tenths % 10_000));
        bytes memory text = abi.encodePacked(VM.toString(tenths / 10_000), ".", decimals[1], decimals[2]);
        return string(shape == 1 ? text : abi.encodePacked(text, decimals[3], decimals[4]));
    }
}
