// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Billing} from "../../src/libraries/Billing.sol";
import {Test} from "forge-std/Test.sol";

/// @dev Laws of the bill, proven by halmos for every argument at once and tried by forge on draws.
contract Billing_Symbolic_Test is Test {
    /// @notice A driver never pays more than what they put up, and the rest comes back.
    function check_ChargeAndRefundAreTheDeposit(uint64 energyWh, uint64 price, uint64 flat, uint64 deposit)
        external
        pure
    {
        uint64 charge = Billing.charge(energyWh, price, flat, deposit);
        assert(charge <= deposit);
        uint64 refund = deposit - charge;
        assert(uint256(charge) + refund == deposit);
    }

    /// @notice The charge is what is owed, unless that is more than the deposit.
    function check_ChargeIsOwedOrTheDeposit(uint64 energyWh, uint64 price, uint64 flat, uint64 deposit) external pure {
        uint256 owed = energyWh == 0 ? 0 : uint256(energyWh) * price / 1000 + flat;
        uint256 charge = Billing.charge(energyWh, price, flat, deposit);
        assert(charge == owed || (charge == deposit && owed > deposit));
    }

    /// @notice A start without energy costs nothing.
    function check_NoEnergyCostsNothing(uint64 price, uint64 flat, uint64 deposit) external pure {
        assert(Billing.charge(0, price, flat, deposit) == 0);
    }

    /// @notice More energy never costs less.
    function check_ChargeRisesWithEnergy(uint64 lessWh, uint64 moreWh, uint64 price, uint64 flat, uint64 deposit)
        external
        pure
    {
        vm.assume(lessWh <= moreWh);
        assert(Billing.charge(lessWh, price, flat, deposit) <= Billing.charge(moreWh, price, flat, deposit));
    }

    /// @notice What a seller gets at a price, they owe at its negative.
    function check_CostIsOddInThePrice(uint64 energyWh, uint64 magnitude) external pure {
        int256 price = int256(uint256(magnitude));
        assert(Billing.costFloor(energyWh, -price) == -Billing.costFloor(energyWh, price));
    }

    /// @notice A price below zero never makes the buyer owe, and one above never the seller.
    function check_CostHasTheSignOfThePrice(uint64 energyWh, uint64 magnitude) external pure {
        int256 price = int256(uint256(magnitude));
        assert(Billing.costFloor(energyWh, price) >= 0);
        assert(Billing.costFloor(energyWh, -price) <= 0);
    }
}
