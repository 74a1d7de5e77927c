// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Billing} from "../../../src/libraries/Billing.sol";
import {Test} from "forge-std/Test.sol";

contract Billing_Charge_Unit_Test is Test {
    uint64 internal constant PRICE = 391_700;
    uint64 internal constant FLAT = 500_000;
    uint64 internal constant DEPOSIT = 20_000_000;

    function test_GivenNoEnergyFlowed() external pure {
        assertEq(Billing.charge(0, PRICE, FLAT, DEPOSIT), 0);
    }

    function test_WhenTheCostIsBelowOneMicro() external pure {
        assertEq(Billing.charge(1, 999, FLAT, DEPOSIT), FLAT);
        assertEq(Billing.charge(1, 1000, FLAT, DEPOSIT), FLAT + 1);
    }

    function test_WhenPriceAndFeeAreBelowTheDeposit() external pure {
        // 5.5 kWh at 0.3917 and 0.50 to start; one Wh costs 391.7 micros.
        assertEq(Billing.charge(5500, PRICE, FLAT, DEPOSIT), 2_654_350);
        assertEq(Billing.charge(1, PRICE, FLAT, DEPOSIT), 500_391);
        assertEq(Billing.charge(5500, PRICE, FLAT, 2_654_351), 2_654_350);
    }

    function test_WhenPriceAndFeeAreTheDeposit() external pure {
        assertEq(Billing.charge(5500, PRICE, FLAT, 2_654_350), 2_654_350);
    }

    function test_WhenPriceAndFeeAreAboveTheDeposit() external pure {
        assertEq(Billing.charge(5500, PRICE, FLAT, 2_654_349), 2_654_349);
        assertEq(Billing.charge(5500, PRICE, FLAT, 1), 1);
    }

    function test_WhenThePriceIsZero() external pure {
        assertEq(Billing.charge(1, 0, FLAT, DEPOSIT), FLAT);
    }

    function test_WhenEveryArgumentIsTheLargest() external pure {
        uint64 most = type(uint64).max;
        assertEq(Billing.charge(most, most, most, most), most);
    }
}
