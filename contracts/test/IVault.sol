// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IChargeVault} from "../src/interfaces/IChargeVault.sol";

/// @title IVault
/// @notice The vault with its constants, which are no part of what it promises.
interface IVault is IChargeVault {
    function TOKEN() external view returns (address);
    function REGISTRY() external view returns (address);
    function TERMS_TYPEHASH() external view returns (bytes32);
    function TOP_UP_TYPEHASH() external view returns (bytes32);
    function TOTAL_TYPEHASH() external view returns (bytes32);
    function READING_TYPEHASH() external view returns (bytes32);
}
