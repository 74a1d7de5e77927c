// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {IChargeVault} from "../../src/interfaces/IChargeVault.sol";
import {TermsHash} from "../../src/libraries/TermsHash.sol";
import {TermsHashReference} from "../reference/TermsHashReference.sol";

/// @notice The hash of terms in assembly is that of its readable twin, whatever the terms say.
contract TermsHash_Symbolic_Test is Test {
    bytes32 private constant KIND = keccak256("SessionTerms");

    function inAssembly(IChargeVault.Terms calldata terms) external pure returns (bytes32) {
        return TermsHash.hash(KIND, terms);
    }

    function inWords(IChargeVault.Terms calldata terms) external pure returns (bytes32) {
        return TermsHashReference.hash(KIND, terms);
    }

    function check_TheTwinsHashTheSame(
        address driver,
        uint32 purse,
        address operator,
        bytes32 meterId,
        bytes20 tag,
        uint64[4] calldata numbers,
        bytes32 fingerprint,
        bytes32 salt
    ) external view {
        IChargeVault.Terms memory terms = IChargeVault.Terms({
            driver: driver,
            purse: purse,
            operator: operator,
            meterId: meterId,
            idTag: string(abi.encodePacked(tag)),
            priceMicrosPerKwh: numbers[0],
            flatMicros: numbers[1],
            depositMicros: numbers[2],
            tariffFingerprint: fingerprint,
            deadline: numbers[3],
            salt: salt
        });
        assert(this.inAssembly(terms) == this.inWords(terms));
    }
}
