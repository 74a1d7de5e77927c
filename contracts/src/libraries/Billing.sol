// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Billing
/// @notice What energy costs, in the same integers as the service's Python.
library Billing {
    /// @notice Returns the cost of `energyWh`, its magnitude rounded down to a whole micro.
    /// @param energyWh Energy, in Wh.
    /// @param priceMicrosPerKwh Price, in micros per kWh; may be negative.
    function costFloor(uint256 energyWh, int256 priceMicrosPerKwh) internal pure returns (int256) {
        // Solidity's division truncates toward zero: the magnitude is floored, the sign kept.
        return int256(energyWh) * priceMicrosPerKwh / 1000;
    }

    /// @notice Returns what a session costs, capped by its deposit.
    /// @param energyWh Energy of the session, in Wh.
    /// @param priceMicrosPerKwh Price, in micros per kWh, VAT included.
    /// @param flatMicros Fee, owed only if energy flowed, in micros.
    /// @param depositMicros Deposit, in micros.
    function charge(uint256 energyWh, uint64 priceMicrosPerKwh, uint64 flatMicros, uint64 depositMicros)
        internal
        pure
        returns (uint64)
    {
        uint256 owed = (energyWh > 0 ? flatMicros : 0) + energyWh * priceMicrosPerKwh / 1000;
        // Never above a uint64, since the deposit is one.
        return owed < depositMicros ? uint64(owed) : depositMicros;
    }
}
