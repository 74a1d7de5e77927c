// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IChargeVault} from "../../src/interfaces/IChargeVault.sol";
import {Shipped} from "../Shipped.sol";
import {Vectors} from "./Vectors.sol";

interface IMembershipType {
    function MEMBERSHIP_TYPEHASH() external view returns (bytes32);
}

contract TypedData_Vectors_Test is Vectors, Shipped {
    function setUp() external {
        load("typed_data");
    }

    function test_MakesTheSameSessionId() external {
        IChargeVault vault = IChargeVault(deployShipped("ChargeVault", abi.encode(address(1), address(2))));
        uint256 i;
        for (; has(entry(".sessions", i)); ++i) {
            string memory one = entry(".sessions", i);
            IChargeVault.Terms memory terms;
            terms.driver = wallet(one, "driver");
            terms.purse = uint32(number64(one, "purse"));
            terms.operator = wallet(one, "operator");
            terms.meterId = word(one, "meterId");
            terms.idTag = text(one, "idTag");
            terms.priceMicrosPerKwh = number64(one, "priceMicrosPerKwh");
            terms.flatMicros = number64(one, "flatMicros");
            terms.depositMicros = number64(one, "depositMicros");
            terms.tariffFingerprint = word(one, "tariffFingerprint");
            terms.deadline = number64(one, "deadline");
            terms.salt = word(one, "salt");
            assertEq(vault.hashTerms(terms), word(one, "sessionId"), one);
        }
        assertGt(i, 3);
    }

    function test_MakesTheSameNonceOfAMembership() external {
        IMembershipType ledger =
            IMembershipType(deployShipped("TradeLedger", abi.encode(address(1), uint32(900), uint64(0), address(2))));
        bytes32 kind = ledger.MEMBERSHIP_TYPEHASH();
        uint256 i;
        for (; has(entry(".memberships", i)); ++i) {
            string memory one = entry(".memberships", i);
            bytes memory encoded = abi.encode(
                kind,
                wallet(one, "member"),
                number64(one, "capMicros"),
                number64(one, "amountMicros"),
                word(one, "salt")
            );
            assertEq(keccak256(encoded), word(one, "nonce"), one);
        }
        assertGt(i, 1);
    }
}
