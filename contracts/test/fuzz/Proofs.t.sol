// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Trading_Test} from "../Trading.t.sol";
import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";

/// @dev Trees of any leaves and any number of them, under the root of a run.
contract Proofs_Fuzz_Test is Trading_Test {
    uint256 internal constant LEAVES_MAX = 12;

    /// @dev Returns the next layer; an odd one at its end goes up as it is.
    function above(bytes32[] memory layer) internal pure returns (bytes32[] memory next) {
        next = new bytes32[]((layer.length + 1) / 2);
        for (uint256 i = 0; i < next.length; ++i) {
            bool odd = 2 * i + 1 == layer.length;
            next[i] = odd ? layer[2 * i] : Hashes.commutativeKeccak256(layer[2 * i], layer[2 * i + 1]);
        }
    }

    function proofOf(bytes32[] memory layer, uint256 place) internal pure returns (bytes32[] memory proof) {
        proof = new bytes32[](4);
        uint256 length;
        for (; layer.length > 1; layer = above(layer)) {
            if (place ^ 1 < layer.length) {
                proof[length++] = layer[place ^ 1];
            }
            place /= 2;
        }
        assembly ("memory-safe") {
            mstore(proof, length)
        }
    }

    function settleTree(uint256 seed, uint256 number) internal returns (bytes32[] memory leaves) {
        leaves = new bytes32[](number);
        for (uint256 i = 0; i < number; ++i) {
            leaves[i] = keccak256(abi.encode(seed, i));
        }
        bytes32[] memory layer = leaves;
        while (layer.length > 1) {
            layer = above(layer);
        }
        Run memory one = following("");
        one.root = layer[0];
        settle(one);
    }

    function testFuzz_EveryLeafProves(uint256 seed, uint256 number) external {
        bytes32[] memory leaves = settleTree(seed, bound(number, 1, LEAVES_MAX));
        for (uint256 i = 0; i < leaves.length; ++i) {
            assertTrue(ledger.verifyLeaf(1, leaves[i], proofOf(leaves, i)));
        }
    }

    function testFuzz_NoAlteredLeafNorProofProves(uint256 seed, uint256 number, uint256 place, uint8 bit) external {
        bytes32[] memory leaves = settleTree(seed, bound(number, 1, LEAVES_MAX));
        bytes32 flip = bytes32(1 << uint256(bit));
        place = bound(place, 0, leaves.length - 1);
        bytes32[] memory proof = proofOf(leaves, place);
        for (uint256 i = 0; i < leaves.length; ++i) {
            assertFalse(ledger.verifyLeaf(1, leaves[i] ^ flip, proofOf(leaves, i)));
            // A leaf of another place does not prove by this one.
            assertEq(ledger.verifyLeaf(1, leaves[i], proof), i == place);
        }
        for (uint256 i = 0; i < proof.length; ++i) {
            proof[i] ^= flip;
            assertFalse(ledger.verifyLeaf(1, leaves[place], proof));
            proof[i] ^= flip;
        }
        if (proof.length != 0) {
            assembly ("memory-safe") {
                mstore(proof, sub(mload(proof), 1))
            }
            assertFalse(ledger.verifyLeaf(1, leaves[place], proof));
        }
    }
}
