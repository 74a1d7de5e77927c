// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IChargeVault} from "../../../../src/interfaces/IChargeVault.sol";
import {IMeterRegistry} from "../../../../src/interfaces/IMeterRegistry.sol";
import {Endings} from "./Endings.sol";

/// @title Closings
/// @notice Sessions end: by records, by readings, by totals that drivers sign, and by time.
abstract contract Closings is Endings {
    /// @dev Lets a meter sign a record that nobody brings yet.
    function sign(uint256 which, uint256 seed) external later(seed) {
        (uint256 i, bool found) = _pickAt(which, IMeterRegistry.Kind.Station);
        if (found) _record(i, seed, _flaw(seed));
    }

    /// @dev Lets a meter sign, and brings the record at once.
    function closeWithOcmf(uint256 which, uint256 seed, bool twice) external later(seed) {
        (uint256 i, bool found) = _pickAt(which, IMeterRegistry.Kind.Station);
        if (found) _bring(i, _record(i, seed, _flaw(seed)), twice);
    }

    /// @dev Brings a record that was signed before, late or again, to its session or to any other.
    function bringRecord(uint256 which, uint256 seed, bool toItsOwn) external later(which) {
        if (_records.length == 0) return;
        uint256 r = seed % _records.length;
        _bring(toItsOwn ? _records[r].session : _pick(which), r, false);
    }

    /// @dev Opens a second session of the driver's at the station, so that both run under one tag; the
    /// record that ends the one must not end the other.
    function shareRecord(uint256 which, uint256 seed) external onTime {
        (uint256 i, bool found) = _pickAt(which, IMeterRegistry.Kind.Station);
        if (!found || _sessions[i].ended) return;
        IChargeVault.Terms memory terms = _sessions[i].terms;
        uint32 purse = (terms.purse + 1) % PURSES;
        if (holdings[terms.driver][purse].runs) return;
        Meter storage its = _meters[_indexOf[terms.meterId]];
        (bool opened, uint256 other) = _openPlainIn(its, _indexOfDriver(terms.driver), purse);
        if (!opened) return;
        nowS += 1800;
        VM.warp(nowS);
        uint256 r = _record(i, seed, Flaw.None);
        _bring(i, r, false);
        if (!_sessions[i].ended) return;
        if (seed % 2 == 0) {
            // Its page is not the last one any more.
            (opened, i) = _openPlain(its, seed);
            if (opened) _bring(i, _record(i, seed, Flaw.None), false);
        }
        _bring(other, r, false);
    }

    /// @dev Brings a record that has moved money to a session that runs at its meter, under its tag:
    /// page alone tells that it is not that session's.
    function bringRecordAgain(uint256 seed) external onTime {
        for (uint256 k = 0; k < _records.length; ++k) {
            uint256 r = (seed % _records.length + k) % _records.length;
            Record storage record = _records[r];
            if (moved[_meters[record.meter].id][record.page] == 0) continue;
            for (uint256 i = 0; i < _sessions.length; ++i) {
                IChargeVault.Terms storage terms = _sessions[i].terms;
                bool same = keccak256(bytes(terms.idTag)) == keccak256(bytes(record.tag));
                if (same && !_sessions[i].ended && terms.meterId == _meters[record.meter].id) {
                    return _bring(i, r, false);
                }
            }
        }
    }

    /// @dev Brings a record and a total that the driver has signed, or has not.
    function closeCosigned(uint256 which, uint256 seed, uint64 total) external later(seed) {
        (uint256 i, bool found) = _pickAt(which, IMeterRegistry.Kind.Station);
        if (!found) return;
        uint256 r = _record(i, seed, _flaw(seed));
        bool forged = _mix(seed) >> 240 & 7 == 0;
        _cosign(i, r, total, forged ? driverKey(which) : _keyOf(_sessions[i].terms.driver), seed % 8 == 0);
    }

    /// @dev Ends a session by its gateway's reading; some have a flaw.
    function close(uint256 which, uint256 seed, bool twice) external later(seed) {
        (uint256 i, bool found) = _pickAt(which, IMeterRegistry.Kind.Gateway);
        if (!found) return;
        Proof memory proof = _proof(i, seed, _flaw(seed));
        _closeBy(i, proof, twice);
    }

    /// @dev Ends two sessions at once, or one that is named twice; those not open are passed over.
    function closeBatch(uint256 first, uint256 second, uint256 seed) external later(seed) {
        uint256[2] memory which;
        (which[0],) = _pickAt(first, IMeterRegistry.Kind.Gateway);
        (which[1],) = _pickAt(second, IMeterRegistry.Kind.Gateway);
        if (_sessions.length == 0) return;
        IChargeVault.SignedReading[] memory readings = new IChargeVault.SignedReading[](2);
        bool[2] memory ends;
        (Law law, bytes memory why) = (Law.Ends, bytes(""));
        for (uint256 k = 0; k < 2; ++k) {
            Session memory its = _sessions[which[k]];
            Proof memory proof = _proof(which[k], seed ^ k, seed % 8 == k ? _flaw(seed) : Flaw.None);
            readings[k] = IChargeVault.SignedReading(its.terms, its.opening, proof.reading, proof.signature);
            ends[k] = _whyNotRunning(its).length == 0 && !(k == 1 && ends[0] && which[0] == which[1]);
            if (ends[k] && why.length == 0) (law, why) = _whyNotByReading(its, proof);
        }
        if (!_try(operator(seed), abi.encodeCall(IChargeVault.closeBatch, (readings)), law, why)) return;
        for (uint256 k = 0; k < 2; ++k) {
            if (!ends[k]) continue;
            uint64 wattHours = readings[k].reading.endWh - readings[k].reading.beginWh;
            uint64 charge = _owed(_sessions[which[k]], wattHours);
            _noteEnd(which[k], charge);
            _noteReading(which[k], wattHours, charge);
        }
    }

    /// @dev Gives a deposit back, if its deadline has come and not before; and never twice.
    function expire(uint256 which) external onTime {
        if (_sessions.length == 0) return;
        uint256 i = _pick(which);
        for (uint256 k = 0; which % 4 != 0 && k < _sessions.length; ++k) {
            if (!_sessions[i].ended && _sessions[i].terms.deadline <= nowS) break;
            i = (i + 1) % _sessions.length;
        }
        Session memory its = _sessions[i];
        bytes memory why;
        if (its.ended) {
            why = abi.encodeWithSelector(IChargeVault.ChargeVault_NotOpen.selector, its.id);
        } else if (nowS < its.terms.deadline) {
            why = abi.encodeWithSelector(IChargeVault.ChargeVault_DeadlineNotPassed.selector, its.terms.deadline, nowS);
        }
        bytes memory data = abi.encodeCall(IChargeVault.expire, (its.terms, its.opening));
        Sight memory before = _see(its.terms);
        if (!_end(i, data, its.ended ? Law.Ends : Law.Deadlines, why, 0, true)) return;
        _check(Law.Deadlines, _see(its.terms).driver - before.driver == its.held, "a deposit came back in part");
    }

    /// @dev Brings a record and a total that `key` signs; the total is enough, or may be short.
    function _cosign(uint256 i, uint256 r, uint64 total, uint256 key, bool short) private {
        Session memory its = _sessions[i];
        (Law law, bytes memory why, uint64 wattHours) = _whyNotByRecord(its, _records[r]);
        uint64 least = _owed(its, wattHours);
        total = uint64(bound(total, short ? 0 : least, uint256(its.held) + 5));
        if (why.length == 0) (law, why) = _whyNotByTotal(its, total, least, VM.addr(key), law);
        if (total == 0) why = abi.encodeWithSelector(IChargeVault.ChargeVault_TotalTooSmall.selector, 0, 1);
        bytes memory data = _cosigned(its, _records[r], total, key);
        uint64 charge = total < its.held ? total : its.held;
        if (_end(i, data, law, why, charge, false)) _noteRecord(_records[r], i, wattHours, charge);
    }

    /// @dev Returns why a total that somebody signed ends no session, and the law that forbids it.
    function _whyNotByTotal(Session memory its, uint64 total, uint64 least, address signer, Law law)
        private
        pure
        returns (Law, bytes memory)
    {
        if (signer != its.terms.driver) {
            bytes4 stranger = IChargeVault.ChargeVault_NotTheDriver.selector;
            return (Law.Strangers, abi.encodeWithSelector(stranger, signer, its.terms.driver));
        }
        if (total < least) {
            bytes4 small = IChargeVault.ChargeVault_TotalTooSmall.selector;
            return (Law.Charges, abi.encodeWithSelector(small, total, least));
        }
        return (law, "");
    }

    /// @dev Returns the call that brings a record and a signed total.
    function _cosigned(Session memory its, Record memory record, uint64 total, uint256 key)
        private
        view
        returns (bytes memory)
    {
        bytes memory signature = _sign(key, false, _totalDigest(its.id, total));
        return abi.encodeCall(
            IChargeVault.closeCosigned, (its.terms, its.opening, record.payload, record.signature, total, signature)
        );
    }

    /// @dev Brings a reading to a session.
    function _closeBy(uint256 i, Proof memory proof, bool twice) private {
        Session memory its = _sessions[i];
        bytes memory why = _whyNotRunning(its);
        Law law = its.ended ? Law.Ends : Law.Deadlines;
        if (why.length == 0) (law, why) = _whyNotByReading(its, proof);
        bytes memory data = abi.encodeCall(IChargeVault.close, (its.terms, its.opening, proof.reading, proof.signature));
        uint64 wattHours = why.length == 0 ? proof.reading.endWh - proof.reading.beginWh : 0;
        uint64 charge = _owed(its, wattHours);
        if (_end(i, data, law, why, charge, twice)) _noteReading(i, wattHours, charge);
    }

    /// @dev Brings a record to a session.
    function _bring(uint256 i, uint256 r, bool twice) private {
        Session memory its = _sessions[i];
        Record memory record = _records[r];
        (Law law, bytes memory why, uint64 wattHours) = _whyNotByRecord(its, record);
        bytes memory data =
            abi.encodeCall(IChargeVault.closeWithOcmf, (its.terms, its.opening, record.payload, record.signature));
        uint64 charge = _owed(its, wattHours);
        if (!_end(i, data, law, why, charge, twice)) return;
        _noteRecord(record, i, wattHours, charge);
        // Charged is what is owed, rounded down, or else all that was held.
        uint256 owed = uint256(wattHours) * its.terms.priceMicrosPerKwh
            + (wattHours == 0 ? 0 : uint256(its.terms.flatMicros) * 1000);
        bool capped = charge == its.held && owed >= uint256(charge) * 1000;
        _check(Law.Charges, capped || (owed - uint256(charge) * 1000 < 1000), "the model charges something else");
    }

    /// @dev Returns a session that runs at a meter of a kind, which is opened if there is none; or any
    /// other if the seed says so.
    function _pickAt(uint256 seed, IMeterRegistry.Kind kind) private returns (uint256 i, bool found) {
        i = _sessions.length == 0 ? 0 : _pick(seed);
        for (uint256 k = 0; _mix(seed) >> 12 & 7 != 0 && k < _sessions.length; ++k) {
            uint256 place = (i + k) % _sessions.length;
            if (!_sessions[place].ended && _meters[_indexOf[_sessions[place].terms.meterId]].kind == kind) {
                return (place, true);
            }
        }
        if (_mix(seed) >> 12 & 7 != 0) {
            for (uint256 k = 0; k < _meters.length; ++k) {
                Meter storage its = _meters[(seed % _meters.length + k) % _meters.length];
                if (its.kind != kind || its.bound == address(0)) continue;
                (bool opened, uint256 plain) = _openPlain(its, seed);
                if (opened) return (plain, true);
            }
        }
        return (i, _sessions.length != 0);
    }

    /// @dev Two thirds of what meters sign are honest.
    function _flaw(uint256 seed) private pure returns (Flaw) {
        uint256 drawn = (_mix(seed) >> 224) % 27;
        return drawn > uint256(type(Flaw).max) ? Flaw.None : Flaw(drawn);
    }
}
