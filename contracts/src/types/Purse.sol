// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a purse of a driver holds, in one slot that is never zero again after its first use:
/// rewriting it is what makes sessions cheap.
///
///   seal 152 bits | opened 24 | deposit 40 | free 40
///
/// - `free`: standing balance and refunds that could not be delivered, in micros.
/// - `deposit`: what the running session holds, in micros; 0 if none runs.
/// - `opened`: how many sessions were opened.
/// - `seal`: hash of the running session's terms and opening; 0 if none runs.
type Purse is uint256;

using PurseLibrary for Purse global;

/// @title PurseLibrary
/// @notice Reads and changes a {Purse}. Free money and deposit are bounded together, so that what
/// moves between the two always fits.
library PurseLibrary {
    /// @notice Thrown when a purse would hold more than it can.
    error Purse_Full(uint256 micros);

    /// @dev Most that a purse can hold, in micros: about a million euros.
    uint256 private constant MICROS_MAX = type(uint40).max;
    uint256 private constant OPENED_MAX = type(uint24).max;
    uint256 private constant DEPOSIT_SHIFT = 40;
    uint256 private constant OPENED_SHIFT = 80;
    uint256 private constant SEAL_SHIFT = 104;

    /// @notice Returns the free money.
    function free(Purse purse) internal pure returns (uint64) {
        return uint64(Purse.unwrap(purse) & MICROS_MAX);
    }

    /// @notice Returns the deposit that is held.
    function deposit(Purse purse) internal pure returns (uint64) {
        return uint64((Purse.unwrap(purse) >> DEPOSIT_SHIFT) & MICROS_MAX);
    }

    /// @notice Returns how many sessions were opened.
    function opened(Purse purse) internal pure returns (uint256) {
        return (Purse.unwrap(purse) >> OPENED_SHIFT) & OPENED_MAX;
    }

    /// @notice Returns whether a session runs.
    function isRunning(Purse purse) internal pure returns (bool) {
        return Purse.unwrap(purse) >> SEAL_SHIFT != 0;
    }

    /// @notice Returns whether the running session is the one of this hash.
    function isSealedBy(Purse purse, bytes32 hash) internal pure returns (bool) {
        return Purse.unwrap(purse) >> SEAL_SHIFT == uint256(hash) >> SEAL_SHIFT;
    }

    /// @notice Returns the purse with a session running that was not.
    function begin(Purse purse, uint64 depositMicros, bytes32 hash) internal pure returns (Purse) {
        _checkFits(uint256(free(purse)) + depositMicros);
        return _pack(free(purse), depositMicros, opened(purse) + 1, uint256(hash) >> SEAL_SHIFT);
    }

    /// @notice Returns the purse with no session running and nothing held.
    function end(Purse purse) internal pure returns (Purse) {
        return _pack(free(purse), 0, opened(purse), 0);
    }

    /// @notice Returns the purse with more free money.
    function addFree(Purse purse, uint64 micros) internal pure returns (Purse) {
        _checkFits(uint256(free(purse)) + deposit(purse) + micros);
        return Purse.wrap(Purse.unwrap(purse) + micros);
    }

    /// @notice Returns the purse with less free money; the caller has checked that it is there.
    function takeFree(Purse purse, uint64 micros) internal pure returns (Purse) {
        return Purse.wrap(Purse.unwrap(purse) - micros);
    }

    /// @notice Returns the purse with a higher deposit.
    function raise(Purse purse, uint64 micros) internal pure returns (Purse) {
        _checkFits(uint256(free(purse)) + deposit(purse) + micros);
        return Purse.wrap(Purse.unwrap(purse) + (uint256(micros) << DEPOSIT_SHIFT));
    }

    function _checkFits(uint256 micros) private pure {
        require(micros <= MICROS_MAX, Purse_Full(micros));
    }

    function _pack(uint256 free_, uint256 deposit_, uint256 opened_, uint256 seal_) private pure returns (Purse) {
        // After 16 million sessions the count starts again; the salt it asks for was used long ago,
        // in terms whose deadline has passed.
        return Purse.wrap(
            free_ | (deposit_ << DEPOSIT_SHIFT) | ((opened_ & OPENED_MAX) << OPENED_SHIFT) | (seal_ << SEAL_SHIFT)
        );
    }
}
