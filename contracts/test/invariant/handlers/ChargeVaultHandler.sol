// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../../IVault.sol";
import {HostileEuro} from "../../tokens/HostileEuro.sol";
import {IChargeVault} from "../../../src/interfaces/IChargeVault.sol";
import {IMeterRegistry} from "../../../src/interfaces/IMeterRegistry.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Books} from "./vault/Books.sol";
import {Closings} from "./vault/Closings.sol";

/// @title ChargeVaultHandler
/// @notice What drivers, operators, meters, a calibration authority and a moody token do with the
/// vault; remembers what the laws need. Every call is one that the vault must take, or is tried and
/// must be refused for its own reason. What happens to meters is in {Meters}, to sessions in
/// {Openings} and {Closings}; here are money and time.
contract ChargeVaultHandler is Closings {
    constructor(HostileEuro token, IMeterRegistry registry, IVault vault, address admin, uint64 start)
        Books(token, registry, vault, admin, start)
    {
        _enrol(IMeterRegistry.Kind.Station, true, type(uint32).max, 0);
        _enrol(IMeterRegistry.Kind.Station, false, type(uint32).max, 1);
        _enrol(IMeterRegistry.Kind.Gateway, false, type(uint32).max, 2);
        _enrol(IMeterRegistry.Kind.Gateway, true, type(uint32).max, 2);
    }

    function timePasses(uint256 seed) external {
        uint24[6] memory steps = [1, 900, 3600, 21_600, 86_400, 259_200];
        nowS += steps[seed % 6];
        VM.warp(nowS);
    }

    function donate(uint32 amount) external onTime {
        VM.prank(ADMIN);
        TOKEN.mint(address(VAULT), amount);
        donated += amount;
    }

    /// @dev The token refuses a driver or an operator, says that it pays and does not, says nothing,
    /// or is honest again.
    function changeMood(uint256 seed) external onTime {
        if (seed % 8 < 2) {
            TOKEN.setBlocked(seed % 8 == 0 ? driver(seed / 8) : operator(seed / 8));
        } else {
            TOKEN.setMood(
                seed % 8 == 2
                    ? HostileEuro.Mood.Refusing
                    : seed % 8 == 3 ? HostileEuro.Mood.Silent : HostileEuro.Mood.Honest
            );
        }
    }

    /// @dev Takes free money out: all of it or less, or more than there is.
    function withdraw(uint256 who, uint32 purse, uint64 amount, uint256 how) external onTime {
        address from = driver(who);
        purse %= PURSES;
        uint64 free = holdings[from][purse].free;
        amount = how % 8 == 0 ? uint64(bound(amount, free + 1, type(uint64).max)) : uint64(bound(amount, 0, free));
        address to = how >> 3 & 1 == 0 ? from : haven(from);
        bytes memory why = amount > free ? _insufficient(from, free, amount) : _whyNotPaid(to);
        if (_try(from, abi.encodeCall(IChargeVault.withdraw, (purse, to, amount)), Law.Strangers, why)) {
            holdings[from][purse].free -= amount;
            wallets[to] += amount;
        }
    }

    /// @dev Takes earnings out; a driver has none.
    function withdrawEarned(uint256 who, uint64 amount, uint256 how) external onTime {
        address from = how % 8 == 1 ? driver(who) : operator(who);
        uint256 held = earned[from];
        amount = uint64(how % 8 == 0 ? bound(amount, held + 1, type(uint64).max) : bound(amount, 0, held));
        address to = how >> 3 & 1 == 0 ? from : haven(from);
        bytes memory why = amount > held ? _insufficient(from, held, amount) : _whyNotPaid(to);
        if (_try(from, abi.encodeCall(IChargeVault.withdrawEarned, (to, amount)), Law.Strangers, why)) {
            earned[from] -= amount;
            wallets[to] += amount;
        }
    }

    /// @dev Returns why the token would not pay a wallet now, or nothing if it would.
    function _whyNotPaid(address to) private view returns (bytes memory) {
        if (_isBlocked(to)) return abi.encodeWithSelector(HostileEuro.Blocked.selector, to);
        return TOKEN.mood() == HostileEuro.Mood.Refusing
            ? abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(TOKEN))
            : bytes("");
    }
}
