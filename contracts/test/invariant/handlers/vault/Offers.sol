// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../../../IVault.sol";
import {IChargeVault} from "../../../../src/interfaces/IChargeVault.sol";
import {Meters} from "./Meters.sol";

/// @title Offers
/// @notice Terms as drivers may be offered them, good ones and bad ones; and why the vault would not
/// take them, told by rules that are written here another way than in the vault.
abstract contract Offers is Meters {
    uint256 private constant PURSE_MAX = type(uint40).max;

    function _insufficient(address account, uint256 held, uint256 wanted) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IChargeVault.ChargeVault_Insufficient.selector, account, held, wanted);
    }

    /// @dev Returns why a purse would not take more, or nothing if it would.
    function _whyNotFit(address who, uint32 purse, uint64 more) internal view returns (bytes memory) {
        Holding memory its = holdings[who][purse];
        uint256 sum = uint256(its.free) + its.held + more;
        return sum > PURSE_MAX ? abi.encodeWithSelector(IVault.Purse_Full.selector, sum) : bytes("");
    }

    /// @dev Returns why a session is none that runs, or nothing if it runs and its deadline is to come.
    function _whyNotRunning(Session memory its) internal view returns (bytes memory) {
        if (its.ended) return abi.encodeWithSelector(IChargeVault.ChargeVault_NotOpen.selector, its.id);
        uint64 deadline = its.terms.deadline;
        return nowS < deadline
            ? bytes("")
            : abi.encodeWithSelector(IChargeVault.ChargeVault_DeadlinePassed.selector, deadline, nowS);
    }

    function _whyNotRaise(Session memory its, uint64 amount) internal view returns (bytes memory why) {
        why = _whyNotRunning(its);
        if (why.length == 0 && amount == 0) {
            why = abi.encodeWithSelector(IChargeVault.ChargeVault_NoDeposit.selector);
        }
        if (why.length == 0) why = _whyNotFit(its.terms.driver, its.terms.purse, amount);
    }

    /// @dev Returns why new terms would not do, or nothing if they would.
    function _whyNotBegin(IChargeVault.Terms memory terms) internal view returns (bytes memory) {
        if (holdings[terms.driver][terms.purse].runs) {
            return abi.encodeWithSelector(IChargeVault.ChargeVault_PurseInUse.selector, terms.driver, terms.purse);
        }
        if (terms.depositMicros == 0) {
            return abi.encodeWithSelector(IChargeVault.ChargeVault_NoDeposit.selector);
        }
        if (bytes(terms.idTag).length == 0) {
            return abi.encodeWithSelector(IChargeVault.ChargeVault_Unbindable.selector);
        }
        if (terms.deadline <= nowS) {
            return abi.encodeWithSelector(IChargeVault.ChargeVault_DeadlinePassed.selector, terms.deadline, nowS);
        }
        address bound_ = _meters[_indexOf[terms.meterId]].bound;
        if (terms.operator == address(0) || terms.operator != bound_) {
            return abi.encodeWithSelector(
                IChargeVault.ChargeVault_NotTheOperator.selector, terms.meterId, terms.operator, bound_
            );
        }
        return "";
    }

    function _whyNotStanding(IChargeVault.Terms memory terms) internal view returns (bytes memory) {
        Holding memory its = holdings[terms.driver][terms.purse];
        if (terms.salt != bytes32(uint256(its.opened) + 1)) {
            return abi.encodeWithSelector(IChargeVault.ChargeVault_BadSalt.selector, terms.salt);
        }
        if (terms.depositMicros > its.free) return _insufficient(terms.driver, its.free, terms.depositMicros);
        return _whyNotBegin(terms);
    }

    /// @dev Draws terms; some have a flaw, most have none.
    function _draw(uint256 who, uint256 place, uint256 seed) internal view returns (IChargeVault.Terms memory terms) {
        (place, seed) = (_mix(place), _mix(seed));
        Meter storage its = _meters[place % _meters.length];
        terms.driver = driver(who);
        terms.purse = uint32(seed >> 40) % PURSES;
        // Mostly a purse where nothing runs.
        if (seed >> 44 & 7 != 0 && holdings[terms.driver][terms.purse].runs) terms.purse = (terms.purse + 1) % PURSES;
        terms.operator = place >> 32 & 15 == 0 ? operator(place >> 40) : its.bound;
        terms.meterId = its.id;
        // A tag of the driver's comes again: what belongs to a session is told by its page as well.
        terms.idTag = seed % 32 == 0 ? "" : _tag(who, seed % 4 == 0 ? "B" : "A");
        uint64[4] memory prices = [0, 391_700, uint64(bound(seed >> 8, 1, 2_000_000)), type(uint64).max];
        uint64[4] memory deposits = [1, uint64(bound(seed >> 16, 1, 3_000_000)), 20_000_000, 400_000_000_000];
        terms.priceMicrosPerKwh = prices[_weighed(seed >> 72)];
        terms.flatMicros = seed >> 80 & 3 == 0 ? 0 : uint64(bound(seed >> 80, 0, 1_000_000));
        terms.depositMicros = seed >> 88 & 31 == 0 ? 0 : deposits[_weighed(seed >> 96)];
        terms.tariffFingerprint = keccak256("tariff");
        uint24[4] memory stays = [7200, 86_400, 259_200, 0];
        terms.deadline = nowS + (seed >> 104 & 31 == 0 ? stays[3] : stays[(seed >> 112) % 3]);
    }

    function _tag(uint256 who, string memory letter) internal pure returns (string memory) {
        return string(abi.encodePacked("D", bytes1(uint8(0x30 + who % DRIVERS)), letter));
    }

    /// @dev Draws one of four, mostly the second and the third.
    function _weighed(uint256 seed) private pure returns (uint256) {
        seed %= 16;
        return seed == 0 ? 0 : seed == 1 ? 3 : seed < 9 ? 1 : 2;
    }

    function _keyOf(address who) internal view returns (uint256) {
        return driverKey(_indexOfDriver(who));
    }

    function _indexOfDriver(address who) internal view returns (uint256 i) {
        while (driver(i) != who) ++i;
    }
}
