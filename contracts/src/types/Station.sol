// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IChargeVault} from "../interfaces/IChargeVault.sol";

/// @notice What the vault knows of a meter, in one slot; a record writes earnings and page at once.
///
///   spent 16 bits | last page 32 | earned 48 | operator 160
///
/// - `operator`: whom it earns for; zero until bound.
/// - `earned`: what its records have earned since it was last collected, in micros.
/// - `last page`: highest transaction page that closed a session.
/// - `spent`: which of the pages just below it did too; bit n is the page `last page - 1 - n`.
type Station is uint256;

using StationLibrary for Station global;

/// @title StationLibrary
/// @notice Reads and changes a {Station}.
library StationLibrary {
    /// @dev How far a record may come late, in pages.
    uint256 private constant WINDOW = 16;

    uint256 private constant EARNED_MAX = type(uint48).max;
    uint256 private constant PAGE_MAX = type(uint32).max;
    uint256 private constant EARNED_SHIFT = 160;
    uint256 private constant PAGE_SHIFT = 208;
    uint256 private constant SPENT_SHIFT = 240;
    /// @dev Operator and earnings.
    uint256 private constant BELOW_PAGE = (1 << PAGE_SHIFT) - 1;

    /// @notice Returns whom the meter earns for.
    function operator(Station station) internal pure returns (address) {
        return address(uint160(Station.unwrap(station)));
    }

    /// @notice Returns what it has earned and nobody has collected.
    function earned(Station station) internal pure returns (uint64) {
        return uint64((Station.unwrap(station) >> EARNED_SHIFT) & EARNED_MAX);
    }

    /// @notice Returns the highest page that closed a session.
    function lastPage(Station station) internal pure returns (uint64) {
        return uint64((Station.unwrap(station) >> PAGE_SHIFT) & PAGE_MAX);
    }

    /// @notice Returns the station with nothing earned, and bound to an operator.
    function bind(Station station, address operator_) internal pure returns (Station) {
        return Station.wrap((Station.unwrap(station) & ~BELOW_PAGE) | uint160(operator_));
    }

    /// @notice Returns the station with more earned.
    function earn(Station station, uint64 micros) internal pure returns (Station) {
        uint256 sum = uint256(earned(station)) + micros;
        require(sum <= EARNED_MAX, IChargeVault.ChargeVault_StationFull(sum));
        return Station.wrap(Station.unwrap(station) + (uint256(micros) << EARNED_SHIFT));
    }

    /// @notice Returns the station with a page spent, so that no record is ever paid twice. Records may
    /// come late and out of order, as they do from stations that were offline, but not later than the
    /// window.
    function spendPage(Station station, uint64 page) internal pure returns (Station) {
        uint256 last = lastPage(station);
        uint256 spent = Station.unwrap(station) >> SPENT_SHIFT;
        if (page > last) {
            require(page <= PAGE_MAX, IChargeVault.ChargeVault_PageTooHigh(page));
            uint256 ahead = page - last;
            // What was the last page lies `ahead` below the new one now; what falls out of the window
            // is cut off below.
            spent = ahead > WINDOW ? 0 : (spent << ahead) | (1 << (ahead - 1));
            last = page;
        } else {
            uint256 behind = last - page;
            require(behind != 0 && behind <= WINDOW, IChargeVault.ChargeVault_OldPage(page, uint64(last)));
            uint256 bit = 1 << (behind - 1);
            require(spent & bit == 0, IChargeVault.ChargeVault_PageSpent(page));
            spent |= bit;
        }
        return Station.wrap((Station.unwrap(station) & BELOW_PAGE) | (last << PAGE_SHIFT) | (spent << SPENT_SHIFT));
    }
}
