// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ocmf} from "../../src/libraries/Ocmf.sol";
import {Json} from "../../src/libraries/Json.sol";
import {OcmfReadings} from "../../src/libraries/OcmfReadings.sol";
import {Shipped} from "../Shipped.sol";
import {Vectors} from "./Vectors.sol";

interface IOcmfHarness {
    function read(bytes calldata text) external view returns (Ocmf.Session memory session, uint256 gasUsed);
}

contract Records_Vectors_Test is Vectors, Shipped {
    IOcmfHarness private _harness;

    function setUp() external {
        string memory artifact = ships() ? "compiled/test/OcmfHarness.json" : "OcmfHarness.sol:OcmfHarness";
        _harness = IOcmfHarness(deployCode(artifact));
        load("records");
    }

    function test_ReadsTheSame() external view {
        bytes[] memory read = texts(".read.texts");
        uint256[] memory energiesWh = numbers(".read.energiesWh");
        bytes32[] memory idTagHashes = words(".read.idTagHashes");
        for (uint256 i = 0; i < read.length; ++i) {
            (Ocmf.Session memory session,) = _harness.read(read[i]);
            assertEq(session.page, 1, string(read[i]));
            assertTrue(session.hasIdTag, string(read[i]));
            assertEq(session.energyWh, energiesWh[i], string(read[i]));
            assertEq(session.idTagHash, idTagHashes[i], string(read[i]));
        }
        assertGt(read.length, 900);
    }

    function test_RefusesTheSame() external view {
        bytes[] memory refused = texts(".refused.texts");
        bytes[] memory errors = texts(".refused.errors");
        for (uint256 i = 0; i < refused.length; ++i) {
            (bool done, bytes memory said) = address(_harness).staticcall(abi.encodeCall(_harness.read, (refused[i])));
            assertFalse(done, string(refused[i]));
            if (errors[i].length == 4) {
                assertEq(bytes4(said), bytes4(errors[i]), string(refused[i]));
                _checkPlace(said, refused[i].length);
            } else {
                assertEq(said, errors[i], string(refused[i]));
            }
        }
        assertGt(refused.length, 2000);
    }

    /// @dev What stands in the call data behind the text is none of it.
    function test_ReadsNothingBehindTheText() external view {
        bytes memory text = bytes.concat(texts(".read.texts")[0], " ");
        bytes memory data = abi.encodeCall(_harness.read, (bytes.concat(text, " \n}")));
        assembly ("memory-safe") {
            // Behind the selector and the place of the text is its length.
            mstore(add(data, 0x44), mload(text))
        }
        (bool done, bytes memory said) = address(_harness).staticcall(data);
        assertTrue(done);
        assertEq(abi.decode(said, (Ocmf.Session)).energyWh, numbers(".read.energiesWh")[0]);
    }

    /// @dev Where a text is no JSON, or a value is none, is a place in the text or its end.
    function _checkPlace(bytes memory said, uint256 length) private pure {
        bytes4 selector = bytes4(said);
        if (selector == Json.Json_Malformed.selector || selector == OcmfReadings.Ocmf_BadValue.selector) {
            uint256 place;
            assembly ("memory-safe") {
                place := mload(add(said, 0x24))
            }
            assertLe(place, length);
        }
    }
}
