// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";

/// @title Vectors
/// @notice Reads the files of tests/vectors, which Python runs as well.
abstract contract Vectors is Test {
    string private _json;

    /// @dev Reads one file; the rest of the names are places in it.
    function load(string memory stem) internal {
        _json = vm.readFile(string.concat("../tests/vectors/", stem, ".json"));
    }

    /// @dev Returns the place of entry `i` of a list.
    function entry(string memory list, uint256 i) internal pure returns (string memory) {
        return string.concat(list, "[", vm.toString(i), "]");
    }

    /// @dev Returns whether the file has such a place; a list ends where it has none.
    function has(string memory place) internal view returns (bool) {
        return vm.keyExistsJson(_json, place);
    }

    function number(string memory place, string memory name) internal view returns (uint256) {
        return vm.parseUint(text(place, name));
    }

    function number64(string memory place, string memory name) internal view returns (uint64) {
        uint256 found = vm.parseUint(text(place, name));
        require(found <= type(uint64).max, "the vector is wider than its type");
        return uint64(found);
    }

    function signed(string memory place, string memory name) internal view returns (int256) {
        return vm.parseInt(text(place, name));
    }

    function wallet(string memory place, string memory name) internal view returns (address) {
        return vm.parseAddress(text(place, name));
    }

    function word(string memory place, string memory name) internal view returns (bytes32) {
        return vm.parseBytes32(text(place, name));
    }

    function words(string memory place) internal view returns (bytes32[] memory) {
        return vm.parseJsonBytes32Array(_json, place);
    }

    function texts(string memory place) internal view returns (bytes[] memory) {
        return vm.parseJsonBytesArray(_json, place);
    }

    function numbers(string memory place) internal view returns (uint256[] memory) {
        return vm.parseJsonUintArray(_json, place);
    }

    function text(string memory place, string memory name) internal view returns (string memory) {
        return vm.parseJsonString(_json, string.concat(place, ".", name));
    }
}
