// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Billing} from "../../src/libraries/Billing.sol";
import {Test} from "forge-std/Test.sol";

/// @dev What the bill must be, for any numbers, written another way than the library writes it.
contract Billing_Fuzz_Test is Test {
    function testFuzz_ChargeIsPriceAndFeeUpToTheDeposit(uint64 energyWh, uint64 price, uint64 flat, uint64 deposit)
        external
        pure
    {
        uint256 owed = 0;
        if (energyWh != 0) {
            owed = (uint256(energyWh) * price - mulmod(energyWh, price, 1000)) / 1000 + flat;
        }
        uint256 charge = Billing.charge(energyWh, price, flat, deposit);
        assertEq(charge, owed > deposit ? deposit : owed);
    }

    function testFuzz_ChargeAndCostAgree(uint32 energyWh, uint32 price, uint64 deposit) external pure {
        int256 cost = Billing.costFloor(energyWh, int256(uint256(price)));
        uint256 charge = Billing.charge(energyWh, price, 0, deposit);
        assertEq(charge, uint256(cost) > deposit ? deposit : uint256(cost));
    }

    function testFuzz_CostIsRoundedByLessThanOneMicro(uint64 energyWh, int64 price) external pure {
        int256 exact = int256(uint256(energyWh)) * price;
        int256 lost = exact - Billing.costFloor(energyWh, price) * 1000;
        assertLt(lost < 0 ? -lost : lost, 1000);
        assertTrue(lost == 0 || (lost < 0) == (price < 0));
    }

    function testFuzz_SplittingLosesAtMostOneMicro(uint64 firstWh, uint64 secondWh, int64 price) external pure {
        int256 whole = Billing.costFloor(uint256(firstWh) + secondWh, price);
        int256 lost = whole - Billing.costFloor(firstWh, price) - Billing.costFloor(secondWh, price);
        assertTrue(lost == 0 || lost == (price < 0 ? -1 : int256(1)));
    }
}
