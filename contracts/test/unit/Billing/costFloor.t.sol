// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Billing} from "../../../src/libraries/Billing.sol";
import {Test} from "forge-std/Test.sol";

contract Billing_CostFloor_Unit_Test is Test {
    function test_WhenTheEnergyIsZero() external pure {
        assertEq(Billing.costFloor(0, 391_700), 0);
        assertEq(Billing.costFloor(0, -391_700), 0);
    }

    function test_WhenThePriceIsPositive() external pure {
        assertEq(Billing.costFloor(1, 999), 0);
        assertEq(Billing.costFloor(1, 1999), 1);
        assertEq(Billing.costFloor(3, 100_999), 302);
    }

    function test_WhenThePriceIsNegative() external pure {
        assertEq(Billing.costFloor(1, -999), 0);
        assertEq(Billing.costFloor(1, -1999), -1);
        assertEq(Billing.costFloor(3, -100_999), -302);
    }

    function test_WhenTheCostIsWhole() external pure {
        assertEq(Billing.costFloor(1000, 391_700), 391_700);
        assertEq(Billing.costFloor(1000, -391_700), -391_700);
        assertEq(Billing.costFloor(1, 1000), 1);
    }
}
