// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";

/// @title Shipped
/// @notice Deploys the contracts as they ship: the code that contracts/compiled holds, however these
/// tests are compiled. Profiles that watch the sources or break them deploy what those compile to.
abstract contract Shipped is Test {
    function deployShipped(string memory name, bytes memory arguments) internal returns (address) {
        return deployCode(artifactOf(name), arguments);
    }

    function artifactOf(string memory name) internal view returns (string memory) {
        return ships() ? string.concat("compiled/", name, ".json") : string.concat(name, ".sol:", name);
    }

    /// @dev Returns whether the code of contracts/compiled is deployed.
    function ships() internal view returns (bool) {
        return keccak256(bytes(vm.envOr("FOUNDRY_PROFILE", string("default")))) == keccak256("default");
    }
}
