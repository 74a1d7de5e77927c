// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HostileEuro} from "../../../tokens/HostileEuro.sol";
import {IChargeVault} from "../../../../src/interfaces/IChargeVault.sol";
import {Proofs} from "./Proofs.sol";

/// @title Endings
/// @notice The end of a session: what it has moved is seen from outside, at the wallet, the purse and
/// the operator, and is noted in the books.
abstract contract Endings is Proofs {
    /// @dev What somebody sees of a session's money.
    struct Sight {
        uint256 driver;
        uint256 operator;
    }

    /// @dev Makes the call that ends a session, or must not; by the token's call back once more within
    /// it, and after it. Returns whether it has ended.
    function _end(uint256 i, bytes memory data, Law law, bytes memory why, uint64 charge, bool twice)
        internal
        returns (bool)
    {
        Session memory its = _sessions[i];
        Sight memory before = _see(its.terms);
        bool armed = twice && TOKEN.mood() == HostileEuro.Mood.Honest;
        if (armed) TOKEN.arm(address(VAULT), data);
        bool refuses = its.opening.fromWallet && charge < its.held && _refuses(its.terms.driver);
        bool done = refuses && why.length == 0 ? _endUnpaid(i, data) : _try(operator(i), data, law, why);
        if (armed) {
            _check(Law.Ends, !TOKEN.wasLetIn(), "a session ended within its own end");
            TOKEN.setMood(HostileEuro.Mood.Honest);
        }
        if (!done || why.length != 0) return false;
        _noteEnd(i, charge);
        _checkMoney(its, before, charge, refuses);
        if (twice) {
            why = abi.encodeWithSelector(IChargeVault.ChargeVault_NotOpen.selector, its.id);
            _try(operator(i), data, Law.Ends, why);
        }
        return true;
    }

    /// @dev Ends a session whose driver the token refuses, which must be done all the same.
    function _endUnpaid(uint256 i, bytes memory data) private returns (bool done) {
        VM.prank(operator(i));
        (done,) = address(VAULT).call(data);
        _check(Law.Refusals, done, "a driver whom the token refuses held up a station");
    }

    /// @dev Checks where the deposit of a session that has ended went.
    function _checkMoney(Session memory its, Sight memory before, uint64 charge, bool refuses) private {
        Sight memory later = _see(its.terms);
        (uint256 back, uint256 gained) = (later.driver - before.driver, later.operator - before.operator);
        _check(Law.Charges, back + gained == its.held && gained == charge, "a session was charged something else");
        _check(Law.Refusals, !refuses || back == its.held - charge, "a driver whom the token refuses lost money");
    }

    function _noteEnd(uint256 i, uint64 charge) internal {
        Session storage its = _sessions[i];
        its.ended = true;
        address from = its.terms.driver;
        Holding storage holding = holdings[from][its.terms.purse];
        uint64 refund = its.held - charge;
        (holding.held, holding.runs) = (0, false);
        if (its.opening.fromWallet && !_refuses(from)) {
            wallets[from] += refund;
        } else {
            holding.free += refund;
        }
    }

    function _noteRecord(Record memory record, uint256 i, uint64 wattHours, uint64 charge) internal {
        Meter storage its = _meters[record.meter];
        address operator_ = _sessions[i].terms.operator;
        if (its.bound == operator_) {
            its.earned += charge;
        } else {
            earned[operator_] += charge;
        }
        if (record.page > its.lastPage) its.lastPage = record.page;
        its.billedWh += wattHours;
        moved[its.id][record.page] += 1;
        _check(Law.Records, moved[its.id][record.page] == 1, "a record moved money twice");
    }

    function _noteReading(uint256 i, uint64 wattHours, uint64 charge) internal {
        earned[_sessions[i].terms.operator] += charge;
        _meters[_indexOf[_sessions[i].terms.meterId]].billedWh += wattHours;
    }

    /// @dev Returns whether the token would pay a driver nothing now.
    function _refuses(address who) internal view returns (bool) {
        return _isBlocked(who) || TOKEN.mood() == HostileEuro.Mood.Refusing;
    }

    /// @dev Returns what a session costs, capped by what it holds.
    function _owed(Session memory its, uint64 wattHours) internal pure returns (uint64) {
        if (wattHours == 0) return 0;
        uint256 thousandths = uint256(its.terms.flatMicros) * 1000 + uint256(wattHours) * its.terms.priceMicrosPerKwh;
        return thousandths >= uint256(its.held) * 1000 ? its.held : uint64(thousandths / 1000);
    }

    function _see(IChargeVault.Terms memory terms) internal view returns (Sight memory) {
        return Sight(
            TOKEN.balanceOf(terms.driver) + VAULT.freeOf(terms.driver, terms.purse),
            uint256(VAULT.earnedOf(terms.operator)) + VAULT.stationEarned(terms.meterId)
        );
    }
}
