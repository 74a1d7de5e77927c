// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../../Trading.t.sol";
import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";

contract TradeLedger_VerifyLeaf_Unit_Test is Trading_Test {
    bytes32 internal constant LEFT = keccak256("left");
    bytes32 internal constant RIGHT = keccak256("right");
    bytes32[] internal proof;

    function settleRoot(bytes32 root) internal {
        Run memory one = following("");
        one.root = root;
        settle(one);
    }

    function test_RevertGiven_TheRunWasNeverSettled() external {
        vm.expectRevert(abi.encodeWithSelector(ITradeLedger.TradeLedger_RunNotSettled.selector, 1, 0));
        ledger.verifyLeaf(1, LEFT, proof);
    }

    function test_WhenTheLeafIsTheRoot() external {
        settleRoot(LEFT);
        assertTrue(ledger.verifyLeaf(1, LEFT, proof));
        assertFalse(ledger.verifyLeaf(1, RIGHT, proof));
        assertFalse(ledger.verifyLeaf(1, 0, proof));
    }

    function test_WhenTheLeafIsUnderTheRoot() external {
        settleRoot(Hashes.commutativeKeccak256(LEFT, RIGHT));
        assertFalse(ledger.verifyLeaf(1, LEFT, proof));
        proof.push(RIGHT);
        assertTrue(ledger.verifyLeaf(1, LEFT, proof));
        assertFalse(ledger.verifyLeaf(1, RIGHT, proof));
        proof.push(RIGHT);
        assertFalse(ledger.verifyLeaf(1, LEFT, proof));
    }

    function test_WhenTheLeafIsUnderTheRootOfAnotherRun() external {
        settleRoot(LEFT);
        settleRoot(RIGHT);
        assertFalse(ledger.verifyLeaf(1, RIGHT, proof));
        assertFalse(ledger.verifyLeaf(2, LEFT, proof));
        assertTrue(ledger.verifyLeaf(2, RIGHT, proof));
    }
}
