// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IChargeVault} from "../src/interfaces/IChargeVault.sol";

/// @title IVault
/// @notice The vault with its constants and the errors of what it is made of, which are no part of
/// what it promises; so no test needs its sources.
interface IVault is IChargeVault {
    error Purse_Full(uint256 micros);
    error Ocmf_Backwards(uint256 begin, uint256 end);

    function TOKEN() external view returns (address);
    function REGISTRY() external view returns (address);
    function TERMS_TYPEHASH() external view returns (bytes32);
    function TOP_UP_TYPEHASH() external view returns (bytes32);
    function TOTAL_TYPEHASH() external view returns (bytes32);
    function READING_TYPEHASH() external view returns (bytes32);
}
