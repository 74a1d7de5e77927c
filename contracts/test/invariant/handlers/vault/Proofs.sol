// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../../../IVault.sol";
import {IChargeVault} from "../../../../src/interfaces/IChargeVault.sol";
import {IMeterRegistry} from "../../../../src/interfaces/IMeterRegistry.sol";
import {Openings} from "./Openings.sol";
import {Shapes} from "./Shapes.sol";

/// @title Proofs
/// @notice What meters sign of sessions, honest or with a flaw; and why it would end none, told by
/// rules that are written here another way than in the vault.
abstract contract Proofs is Openings {
    /// @notice What is wrong with what a meter signs, if anything.
    enum Flaw {
        None,
        Backwards,
        AbovePower,
        OtherTag,
        Changed,
        OldKey,
        AnotherSession,
        TooLate,
        TooEarly
    }

    /// @notice A record, and what it says.
    struct Record {
        uint256 meter;
        uint256 session;
        uint64 page;
        string tag;
        uint64 begin;
        uint64 end;
        bytes payload;
        bytes signature;
        address signer;
        bool changed;
    }

    /// @notice A gateway's reading of a session.
    struct Proof {
        IChargeVault.Reading reading;
        bytes signature;
        bool genuine;
    }

    Record[] internal _records;
    /// @notice How often the record of each page moved money.
    mapping(bytes32 meterId => mapping(uint64 page => uint256 times)) public moved;

    /// @dev Lets a session's meter sign a record of all that flowed since the one before; kept until
    /// somebody brings it.
    function _record(uint256 i, uint256 seed, Flaw flaw) internal returns (uint256) {
        seed = _mix(seed);
        Session memory its = _sessions[i];
        uint256 m = _indexOf[its.terms.meterId];
        Meter storage meter_ = _meters[m];
        uint64 step = Shapes.step(meter_.shape);
        uint64 most = _mostTenths(its.opening.openedAt, nowS) / step * step;
        uint64 tenths = flaw == Flaw.AbovePower
            ? most + 10 + step * uint64(1 + seed % 100)
            : seed % 8 == 0 ? 0 : uint64(bound(seed >> 8, 0, most / step)) * step;
        tenths = tenths / step * step;

        // Other transactions have pages as well.
        meter_.page += 1 + uint64(seed >> 200 & 7 == 0 ? seed % 40 : 0);
        Record storage record = _records.push();
        (record.meter, record.session, record.page) = (m, i, meter_.page);
        (record.begin, record.end) = (meter_.register, meter_.register + tenths);
        meter_.register += tenths;
        if (flaw == Flaw.Backwards) record.begin = record.end + 10 * step;
        record.tag = flaw == Flaw.OtherTag ? "somebody else's" : its.terms.idTag;
        record.payload = Shapes.write(meter_.shape, record.page, record.tag, record.begin, record.end);
        record.changed = flaw == Flaw.Changed;
        bool old = flaw == Flaw.OldKey;
        record.signer = old ? address(1) : meter_.signer;
        record.signature = _sign(
            old ? meter_.oldKey : meter_.key,
            old ? meter_.oldP256 : meter_.p256,
            sha256(record.changed ? bytes.concat(record.payload, " ") : record.payload)
        );
        return _records.length - 1;
    }

    /// @dev Lets a session's gateway sign a reading of all that flowed since the one before.
    function _proof(uint256 i, uint256 seed, Flaw flaw) internal returns (Proof memory proof) {
        seed = _mix(seed);
        Session memory its = _sessions[i];
        Meter storage meter_ = _meters[_indexOf[its.terms.meterId]];
        uint64 opened = its.opening.openedAt;
        uint64 endedAt = uint64(bound(seed >> 16, opened, nowS));
        if (flaw == Flaw.TooLate) endedAt = nowS + 1;
        if (flaw == Flaw.TooEarly) endedAt = opened - 1;
        uint64 most = endedAt < opened ? 0 : _mostTenths(opened, endedAt) / 10;
        uint64 wattHours = seed % 8 == 0 ? 0 : uint64(bound(seed >> 8, 0, most));
        if (flaw == Flaw.AbovePower) wattHours = most + 1 + uint64(seed % 1000);
        uint64 begin = meter_.register / 10;
        proof.reading = IChargeVault.Reading(begin, begin + wattHours, endedAt);
        // A station's register keeps to its own step; nobody takes a reading from it anyway.
        if (meter_.kind == IMeterRegistry.Kind.Gateway) meter_.register += wattHours * 10;
        if (flaw == Flaw.Backwards) proof.reading.beginWh = proof.reading.endWh + 1;
        bool old = flaw == Flaw.OldKey;
        proof.signature = _sign(
            old ? meter_.oldKey : meter_.key,
            old ? meter_.oldP256 : meter_.p256,
            _readingDigest(flaw == Flaw.AnotherSession ? bytes32("another") : its.id, meter_.id, proof.reading)
        );
        proof.genuine = !old && flaw != Flaw.AnotherSession && flaw != Flaw.Changed;
        if (flaw == Flaw.Changed) proof.reading.endWh += 1;
    }

    /// @dev Returns under which law a record must not end a session and the error that says so; or
    /// no error, and the energy.
    function _whyNotByRecord(Session memory its, Record memory record)
        internal
        view
        returns (Law law, bytes memory why, uint64 wattHours)
    {
        why = _whyNotRunning(its);
        if (why.length != 0) return (its.ended ? Law.Ends : Law.Deadlines, why, 0);
        Meter memory meter_ = _meters[_indexOf[its.terms.meterId]];
        why = _whyNotSigned(
            meter_,
            IMeterRegistry.Kind.Station,
            record.signature.length,
            !record.changed && record.signer == meter_.signer
        );
        if (why.length != 0) return (Law.Keys, why, 0);
        if (record.end < record.begin) {
            return (
                Law.Energy,
                abi.encodeWithSelector(
                    IVault.Ocmf_Backwards.selector, uint256(record.begin) * 1e11, uint256(record.end) * 1e11
                ),
                0
            );
        }
        (bytes32 found, bytes32 wanted) = (keccak256(bytes(record.tag)), keccak256(bytes(its.terms.idTag)));
        if (found != wanted) {
            return
                (
                    Law.Strangers,
                    abi.encodeWithSelector(IChargeVault.ChargeVault_ForeignRecord.selector, found, wanted),
                    0
                );
        }
        if (record.page <= its.opening.pageAtOpen) {
            return (Law.Records, _oldPage(record.page, its.opening.pageAtOpen), 0);
        }
        wattHours = (record.end - record.begin) / 10;
        uint64 most = _mostTenths(its.opening.openedAt, nowS) / 10;
        if (wattHours > most) return (Law.Energy, _abovePower(wattHours, most), 0);
        return (Law.Records, _whyNotPage(meter_, record.page), wattHours);
    }

    /// @dev As {_whyNotByRecord}, by a gateway's reading of a session that runs.
    function _whyNotByReading(Session memory its, Proof memory proof)
        internal
        view
        returns (Law law, bytes memory why)
    {
        Meter memory meter_ = _meters[_indexOf[its.terms.meterId]];
        why = _whyNotSigned(meter_, IMeterRegistry.Kind.Gateway, proof.signature.length, proof.genuine);
        if (why.length != 0) return (Law.Keys, why);
        IChargeVault.Reading memory reading = proof.reading;
        if (reading.endWh < reading.beginWh) {
            why = abi.encodeWithSelector(IChargeVault.ChargeVault_Backwards.selector, reading.beginWh, reading.endWh);
        } else if (reading.endedAt < its.opening.openedAt || reading.endedAt > nowS) {
            why = abi.encodeWithSelector(
                IChargeVault.ChargeVault_OutsideSession.selector, reading.endedAt, its.opening.openedAt, nowS
            );
        } else {
            uint64 most = _mostTenths(its.opening.openedAt, reading.endedAt) / 10;
            uint64 wattHours = reading.endWh - reading.beginWh;
            if (wattHours > most) why = _abovePower(wattHours, most);
        }
        return (Law.Energy, why);
    }

    /// @dev Returns why a meter's signature would not count, or nothing if it would.
    function _whyNotSigned(Meter memory meter_, IMeterRegistry.Kind kind, uint256 length, bool genuine)
        private
        view
        returns (bytes memory)
    {
        if (meter_.revoked || nowS >= meter_.validUntil) {
            return abi.encodeWithSelector(IMeterRegistry.MeterRegistry_NotValid.selector, meter_.id);
        }
        if (meter_.kind != kind) {
            return abi.encodeWithSelector(IChargeVault.ChargeVault_WrongKind.selector, meter_.id);
        }
        if (length != (meter_.p256 ? 128 : 65)) {
            return abi.encodeWithSelector(IChargeVault.ChargeVault_BadSignatureLength.selector, length);
        }
        return genuine ? bytes("") : abi.encodeWithSelector(IChargeVault.ChargeVault_BadSignature.selector, meter_.id);
    }

    /// @dev Returns why a page would not count, or nothing if it would: it is new, or at most sixteen
    /// behind and was never brought.
    function _whyNotPage(Meter memory meter_, uint64 page) private view returns (bytes memory) {
        if (page > meter_.lastPage) return "";
        if (page == meter_.lastPage || page + 16 < meter_.lastPage) return _oldPage(page, meter_.lastPage);
        return moved[meter_.id][page] == 0
            ? bytes("")
            : abi.encodeWithSelector(IChargeVault.ChargeVault_PageSpent.selector, page);
    }

    /// @dev Returns the most that a meter carries, in tenths of a Wh, and one part in twenty.
    function _mostTenths(uint64 from, uint64 until) private pure returns (uint64) {
        return (until - from) * POWER_W * 105 / 36_000;
    }

    function _oldPage(uint64 page, uint64 last) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IChargeVault.ChargeVault_OldPage.selector, page, last);
    }

    function _abovePower(uint256 wattHours, uint256 most) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IChargeVault.ChargeVault_AbovePower.selector, wattHours, most);
    }
}
