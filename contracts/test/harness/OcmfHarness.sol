// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ocmf} from "../../src/libraries/Ocmf.sol";

/// @title OcmfHarness
/// @notice Opens the reader of records to tests, without a vault around it. It is never deployed.
contract OcmfHarness {
    /// @notice Returns what a record says, and the gas that it took to read.
    function read(bytes calldata text) external view returns (Ocmf.Session memory session, uint256 gasUsed) {
        uint256 before = gasleft();
        session = Ocmf.read(text);
        gasUsed = before - gasleft();
    }
}
