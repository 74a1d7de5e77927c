// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vectors} from "./Vectors.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";

contract Trees_Vectors_Test is Vectors {
    function setUp() external {
        load("trees");
    }

    function test_ProveEachLeafAndNoOther() external view {
        uint256 i;
        for (; has(entry(".trees", i)); ++i) {
            string memory one = entry(".trees", i);
            bytes32[] memory leaves = words(string.concat(one, ".leaves"));
            bytes32 root = word(one, "root");
            for (uint256 j = 0; j < leaves.length; ++j) {
                bytes32[] memory proof = words(entry(string.concat(one, ".proofs"), j));
                assertTrue(MerkleProof.verify(proof, root, leaves[j]), one);
                assertFalse(MerkleProof.verify(proof, root, leaves[j] ^ bytes32(uint256(1))), one);
            }
        }
        assertGt(i, 7);
    }
}
