// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EnergyEuro} from "../../src/EnergyEuro.sol";

/// @title HostileEuro
/// @notice The token as its holders know it, until it is told to misbehave. One contract for all
/// kinds of mischief, since each one more is compiled with all that it inherits.
contract HostileEuro is EnergyEuro {
    /// @notice What it does when it pays.
    enum Mood {
        Honest,
        // Refuses to pay the one that is blocked, as regulated tokens do.
        Blocking,
        // Keeps one micro in a hundred.
        Charging,
        // Says that it paid, and pays one micro too little.
        Stingy,
        // Returns false and moves nothing.
        Refusing,
        // Moves the money and returns nothing at all, as some old tokens do.
        Silent,
        // Calls back before it moves the money.
        Reentrant,
        // Burns all the gas that it is given.
        Greedy
    }

    /// @notice Thrown when the blocked account would pay or be paid.
    error Blocked(address account);

    Mood public mood;
    address public blocked;
    address public target;
    bytes public payload;
    /// @notice Whether the last call back succeeded, and what it returned.
    bool public wasLetIn;
    bytes public answer;

    constructor(address admin) EnergyEuro(admin) {}

    function setMood(Mood mood_) external {
        mood = mood_;
    }

    function setBlocked(address account) external {
        (mood, blocked) = (Mood.Blocking, account);
    }

    /// @notice Makes the next payment call `target_` with `payload_`, once.
    function arm(address target_, bytes calldata payload_) external {
        (mood, target, payload, wasLetIn) = (Mood.Reentrant, target_, payload_, false);
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        if (mood == Mood.Refusing) {
            return false;
        }
        while (mood == Mood.Greedy) {}
        super.transfer(to, amount);
        if (mood == Mood.Silent) {
            assembly ("memory-safe") {
                return(0, 0)
            }
        }
        return true;
    }

    function _update(address from, address to, uint256 amount) internal override {
        bool paying = from != address(0) && to != address(0) && amount != 0;
        require(mood != Mood.Blocking || (from != blocked && to != blocked), Blocked(blocked));
        if (paying && mood == Mood.Reentrant) {
            mood = Mood.Honest;
            (wasLetIn, answer) = target.call(payload);
        }
        if (paying && mood == Mood.Charging) {
            super._update(from, address(0), amount / 100);
            amount -= amount / 100;
        }
        super._update(from, to, paying && mood == Mood.Stingy ? amount - 1 : amount);
    }
}
