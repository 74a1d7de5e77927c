// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vectors} from "./Vectors.sol";

/// @dev The leaves of decision 0003 as a contract that judges a fault would encode them.
contract Leaves_Vectors_Test is Vectors {
    function setUp() external {
        load("leaves");
    }

    function test_OfAccountsHashTheSame() external view {
        uint256 i;
        for (; has(entry(".accounts", i)); ++i) {
            string memory one = entry(".accounts", i);
            bytes memory encoded = abi.encode(
                number64(one, "run"),
                number64(one, "interval"),
                wallet(one, "account"),
                int64(signed(one, "netMicros")),
                number64(one, "whIn"),
                number64(one, "whOut"),
                word(one, "orderHash"),
                word(one, "readingsHash"),
                word(one, "tradesRoot"),
                word(one, "salt")
            );
            assertEq(keccak256(bytes.concat(keccak256(encoded))), word(one, "leaf"), one);
        }
        assertGt(i, 4);
    }

    function test_OfTradesHashTheSame() external view {
        uint256 i;
        for (; has(entry(".trades", i)); ++i) {
            string memory one = entry(".trades", i);
            bytes memory encoded = abi.encode(
                wallet(one, "seller"),
                wallet(one, "buyer"),
                number64(one, "energyWh"),
                int32(signed(one, "priceMicrosPerKwh")),
                int64(signed(one, "amountMicros")),
                word(one, "salt")
            );
            assertEq(keccak256(bytes.concat(keccak256(encoded))), word(one, "leaf"), one);
        }
        assertGt(i, 3);
    }
}
