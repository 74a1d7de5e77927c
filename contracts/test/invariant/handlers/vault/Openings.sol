// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HostileEuro} from "../../../tokens/HostileEuro.sol";
import {IChargeVault} from "../../../../src/interfaces/IChargeVault.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {Offers} from "./Offers.sol";

/// @title Openings
/// @notice Drivers open sessions from wallets and from standing balances, and raise their deposits;
/// with terms that the vault must take, or must refuse.
abstract contract Openings is Offers {
    /// @dev Puts money into anybody's purse, by allowance or by permit.
    function fund(uint256 who, uint256 whose, uint64 amount, bool permit) external onTime {
        amount = uint64(bound(amount, whose % 16 == 0 ? 0 : 1, whose % 8 == 1 ? 600_000_000_000 : 60_000_000));
        _fund(who, permit ? who : whose, uint32(whose >> 1) % PURSES, amount, permit);
    }

    /// @dev Opens from a wallet that has just enough.
    function open(uint256 who, uint256 place, uint256 seed, bool badSalt) external onTime {
        IChargeVault.Terms memory terms = _draw(who, place, seed);
        terms.salt = badSalt && seed % 4 == 0
            ? bytes32(seed % (2 ** 24 + 1))
            : keccak256(abi.encode("salt", _sessions.length, seed));
        _give(terms.driver, terms.depositMicros);
        _openFromWallet(terms, false);
    }

    /// @dev Opens once more with the terms of a session that has ended.
    function openAgain(uint256 seed) external onTime {
        if (_sessions.length == 0) return;
        Session memory old = _sessions[seed % _sessions.length];
        if (old.opening.fromWallet) {
            _give(old.terms.driver, old.terms.depositMicros);
            _openFromWallet(old.terms, true);
        } else {
            _openStanding(old.terms, old.terms.driver, "", old.terms.driver);
        }
    }

    /// @dev Opens from a standing balance: sent by the driver, by anybody whom the driver told to, or
    /// by somebody whom nobody told.
    function openFromBalance(uint256 who, uint256 place, uint256 seed, uint256 by) external onTime {
        IChargeVault.Terms memory terms = _standing(who, place, seed);
        if (by % 16 == 0) terms.salt = bytes32(by % 5);
        bytes32 digest = _digestOf(_idOf(terms));
        if (by % 3 == 0) {
            _openStanding(terms, terms.driver, "", terms.driver);
        } else if (by % 7 != 0) {
            _openStanding(terms, driver(who % DRIVERS + 1), _sign(driverKey(who), false, digest), terms.driver);
        } else {
            bool mute = by % 2 == 0;
            bytes memory signature = mute ? bytes("") : _sign(driverKey(who % DRIVERS + 1), false, digest);
            _openStanding(terms, driver(who % DRIVERS + 1), signature, mute ? address(0) : driver(who % DRIVERS + 1));
        }
    }

    /// @dev Opens for two drivers at once; either for both or for none.
    function openBatch(uint256 who, uint256 place, uint256 seed) external onTime {
        IChargeVault.SignedTerms[] memory orders = new IChargeVault.SignedTerms[](2);
        bytes memory why = "";
        who %= DRIVERS;
        for (uint256 i = 0; i < 2; ++i) {
            IChargeVault.Terms memory terms = _standing(who + i, place ^ i, seed ^ i);
            orders[i] = IChargeVault.SignedTerms(terms, _sign(driverKey(who + i), false, _digestOf(_idOf(terms))));
            if (why.length == 0) why = _whyNotStanding(terms);
        }
        if (_try(operator(place), abi.encodeCall(IChargeVault.openBatch, (orders)), Law.Openings, why)) {
            _noteStanding(orders[0].terms);
            _noteStanding(orders[1].terms);
        }
    }

    /// @dev Raises a deposit from the wallet; the same consent does not raise it again.
    function topUp(uint256 which, uint64 amount) external onTime {
        if (_sessions.length == 0) return;
        uint256 i = _pick(which);
        Session memory its = _sessions[i];
        amount = uint64(bound(amount, which % 16 == 0 ? 0 : 1, which % 8 == 0 ? 600_000_000_000 : 10_000_000));
        _give(its.terms.driver, amount);
        IChargeVault.Authorization memory consent =
            _consent(_keyOf(its.terms.driver), amount, _topUpNonce(its.id, its.held, amount));
        bytes memory data = abi.encodeCall(IChargeVault.topUp, (its.terms, its.opening, amount, consent));
        bytes memory why = _whyNotRaise(its, amount);
        bool refused = why.length == 0 && _isBlocked(its.terms.driver);
        if (refused) why = abi.encodeWithSelector(HostileEuro.Blocked.selector, its.terms.driver);
        if (!_try(operator(which), data, Law.Openings, why)) return;
        wallets[its.terms.driver] -= amount;
        _raise(i, amount);

        why = _whyNotRaise(_sessions[i], amount);
        if (why.length == 0) why = abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector);
        _try(operator(which), data, Law.Openings, why);
    }

    /// @dev Raises a deposit from the purse's free money, which only its driver may.
    function topUpFromBalance(uint256 which, uint64 amount, uint256 by) external onTime {
        if (_sessions.length == 0) return;
        uint256 i = _pick(which);
        Session memory its = _sessions[i];
        (address from, uint64 free) = (its.terms.driver, holdings[its.terms.driver][its.terms.purse].free);
        amount = by % 8 == 0 ? free + 1 : uint64(bound(amount, 0, free));
        address sender = by % 5 == 0 ? haven(from) : from;
        bytes memory why = sender == from
            ? _whyNotRaise(its, 1)
            : abi.encodeWithSelector(IChargeVault.ChargeVault_NotTheDriver.selector, sender, from);
        if (why.length == 0 && amount > free) why = _insufficient(from, free, amount);
        if (why.length == 0 && amount == 0) {
            why = abi.encodeWithSelector(IChargeVault.ChargeVault_NoDeposit.selector);
        }
        bytes memory data = abi.encodeCall(IChargeVault.topUpFromBalance, (its.terms, its.opening, amount));
        if (_try(sender, data, Law.Openings, why)) {
            holdings[from][its.terms.purse].free -= amount;
            _raise(i, amount);
        }
    }

    function _fund(uint256 who, uint256 whose, uint32 purse, uint64 amount, bool permit) private {
        (address payer, address payee) = (driver(who), driver(whose));
        _give(payer, amount);
        bytes memory why = amount == 0
            ? abi.encodeWithSelector(IChargeVault.ChargeVault_NoDeposit.selector)
            : _whyNotFit(payee, purse, amount);
        if (why.length == 0 && _isBlocked(payer)) why = abi.encodeWithSelector(HostileEuro.Blocked.selector, payer);
        bytes memory data = abi.encodeCall(IChargeVault.deposit, (payee, purse, amount));
        if (permit) {
            (uint8 v, bytes32 r, bytes32 s) = _permit(driverKey(who), amount);
            data = abi.encodeCall(IChargeVault.depositWithPermit, (purse, amount, FOR_EVER, v, r, s));
        } else {
            VM.prank(payer);
            TOKEN.approve(address(VAULT), amount);
        }
        if (_try(payer, data, Law.Strangers, why)) {
            wallets[payer] -= amount;
            holdings[payee][purse].free += amount;
        }
    }

    function _openFromWallet(IChargeVault.Terms memory terms, bool again) private {
        (bytes32 id, address from) = (_idOf(terms), terms.driver);
        bytes memory why = uint256(terms.salt) > 2 ** 24
            ? _whyNotBegin(terms)
            : abi.encodeWithSelector(IChargeVault.ChargeVault_BadSalt.selector, terms.salt);
        if (why.length == 0) why = _whyNotFit(from, terms.purse, terms.depositMicros);
        if (why.length == 0 && again) {
            why = abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, from, id);
        }
        if (why.length == 0 && _isBlocked(from)) why = abi.encodeWithSelector(HostileEuro.Blocked.selector, from);
        IChargeVault.Authorization memory consent = _consent(_keyOf(from), terms.depositMicros, id);
        if (_try(operator(0), abi.encodeCall(IChargeVault.open, (terms, consent)), Law.Openings, why)) {
            wallets[from] -= terms.depositMicros;
            _note(terms, true);
        }
    }

    /// @dev Opens from a wallet at a meter, with plain terms, in the first purse where nothing runs;
    /// mostly it is opened, and which session it is is returned.
    function _openPlain(Meter storage its, uint256 seed) internal returns (bool opened, uint256 i) {
        for (uint256 k = 0; k < DRIVERS * PURSES; ++k) {
            uint256 who = seed % DRIVERS + k / PURSES;
            uint32 purse = uint32(k) % PURSES;
            if (!holdings[driver(who)][purse].runs) return _openPlainIn(its, who, purse);
        }
        return (false, 0);
    }

    function _openPlainIn(Meter storage its, uint256 who, uint32 purse) internal returns (bool opened, uint256 i) {
        IChargeVault.Terms memory terms = IChargeVault.Terms(
            driver(who), purse, its.bound, its.id, _tag(who, "A"), 391_700, 500_000, 20_000_000, 0, nowS + 1 days, 0
        );
        i = _sessions.length;
        terms.salt = keccak256(abi.encode("plain", i, nowS));
        _give(terms.driver, terms.depositMicros);
        _openFromWallet(terms, false);
        opened = _sessions.length > i;
    }

    function _openStanding(IChargeVault.Terms memory terms, address by, bytes memory signature, address found) private {
        bytes memory why = found == terms.driver
            ? _whyNotStanding(terms)
            : abi.encodeWithSelector(IChargeVault.ChargeVault_NotTheDriver.selector, found, terms.driver);
        if (_try(by, abi.encodeCall(IChargeVault.openFromBalance, (terms, signature)), Law.Openings, why)) {
            _noteStanding(terms);
        }
    }

    function _noteStanding(IChargeVault.Terms memory terms) private {
        holdings[terms.driver][terms.purse].free -= terms.depositMicros;
        _note(terms, false);
    }

    /// @dev Notes a session that was opened now.
    function _note(IChargeVault.Terms memory terms, bool fromWallet) private {
        Holding storage its = holdings[terms.driver][terms.purse];
        (its.held, its.opened, its.runs) = (terms.depositMicros, its.opened + 1, true);
        uint64 page = _meters[_indexOf[terms.meterId]].lastPage;
        IChargeVault.Opening memory opening = IChargeVault.Opening(nowS, page, fromWallet);
        _sessions.push(Session(terms, opening, _idOf(terms), terms.depositMicros, false));
    }

    function _raise(uint256 i, uint64 amount) private {
        _sessions[i].held += amount;
        holdings[_sessions[i].terms.driver][_sessions[i].terms.purse].held += amount;
    }

    /// @dev Draws terms from a standing balance that mostly has what they hold.
    function _standing(uint256 who, uint256 place, uint256 seed) private returns (IChargeVault.Terms memory terms) {
        terms = _draw(who, place, seed);
        if (holdings[terms.driver][terms.purse].free == 0) _fund(who, who, terms.purse, 10_000_000, false);
        Holding memory its = holdings[terms.driver][terms.purse];
        terms.salt = bytes32(uint256(its.opened) + 1);
        if (seed % 8 != 0 && terms.depositMicros > its.free) terms.depositMicros = its.free;
    }
}
