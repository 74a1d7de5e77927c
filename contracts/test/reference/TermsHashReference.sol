// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IChargeVault} from "../../src/interfaces/IChargeVault.sol";

/// @title TermsHashReference
/// @notice The hash of a session's terms as EIP-712 words it, field by field: what {TermsHash} must be.
library TermsHashReference {
    /// @notice Returns the hash of terms.
    function hash(bytes32 typeHash, IChargeVault.Terms memory terms) internal pure returns (bytes32) {
        return keccak256(
            bytes.concat(
                abi.encode(
                    typeHash, terms.driver, terms.purse, terms.operator, terms.meterId, keccak256(bytes(terms.idTag))
                ),
                abi.encode(
                    terms.priceMicrosPerKwh,
                    terms.flatMicros,
                    terms.depositMicros,
                    terms.tariffFingerprint,
                    terms.deadline,
                    terms.salt
                )
            )
        );
    }
}
