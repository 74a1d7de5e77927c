// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Billing} from "../../src/libraries/Billing.sol";
import {Vectors} from "./Vectors.sol";

contract Billing_Vectors_Test is Vectors {
    function setUp() external {
        load("billing");
    }

    function test_ChargesAndRefundsTheSame() external view {
        uint256 i;
        for (; has(entry(".charges", i)); ++i) {
            string memory one = entry(".charges", i);
            uint64 deposit = number64(one, "depositMicros");
            uint64 charge = Billing.charge(
                number64(one, "energyWh"), number64(one, "priceMicrosPerKwh"), number64(one, "flatMicros"), deposit
            );
            assertEq(charge, number(one, "chargeMicros"), one);
            assertEq(deposit - charge, number(one, "refundMicros"), one);
        }
        assertGt(i, 10);
    }

    function test_RoundsTheMagnitudeDown() external view {
        uint256 i;
        for (; has(entry(".costs", i)); ++i) {
            string memory one = entry(".costs", i);
            int256 cost = Billing.costFloor(number(one, "energyWh"), signed(one, "priceMicrosPerKwh"));
            assertEq(cost, signed(one, "costMicros"), one);
        }
        assertGt(i, 100);
    }
}
