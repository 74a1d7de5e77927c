// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IMeterRegistry} from "./interfaces/IMeterRegistry.sol";

/// @title MeterRegistry
/// @notice See {IMeterRegistry}. A calibration authority enrols; one key speaks for one meter, ever.
contract MeterRegistry is IMeterRegistry, AccessControl {
    /// @notice Who may enrol, rotate and revoke.
    bytes32 public constant CALIBRATOR_ROLE = keccak256("CALIBRATOR_ROLE");

    mapping(bytes32 meterId => Meter meter) private _meters;
    mapping(bytes32 keyHash => bytes32 meterId) private _meterOfKey;

    /// @param admin Administrator and first calibrator.
    constructor(address admin) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(CALIBRATOR_ROLE, admin);
    }

    /// @inheritdoc IMeterRegistry
    function meterOf(bytes32 meterId) external view returns (Meter memory) {
        return _meters[meterId];
    }

    /// @inheritdoc IMeterRegistry
    function enrol(
        bytes32 meterId,
        Kind kind,
        Curve curve,
        bytes32 x,
        bytes32 y,
        uint32 ratedPowerW,
        uint64 validFrom,
        uint64 validUntil
    ) external onlyRole(CALIBRATOR_ROLE) {
        // Check: a new meter that can measure something.
        require(_meters[meterId].ratedPowerW == 0, MeterRegistry_AlreadyEnrolled(meterId));
        require(ratedPowerW != 0, MeterRegistry_BadMeter(meterId));

        // Effect: the meter and its key.
        _bindKey(meterId, x, y, validFrom, validUntil);
        _meters[meterId] = Meter({
            x: x,
            y: y,
            kind: kind,
            curve: curve,
            revoked: false,
            ratedPowerW: ratedPowerW,
            validFrom: validFrom,
            validUntil: validUntil
        });

        // Log.
        emit MeterEnrolled(meterId, kind, curve, ratedPowerW);
    }

    /// @inheritdoc IMeterRegistry
    function rotate(bytes32 meterId, Curve curve, bytes32 x, bytes32 y, uint64 validFrom, uint64 validUntil)
        external
        onlyRole(CALIBRATOR_ROLE)
    {
        // Check: a meter that still speaks.
        Meter storage meter = _meters[meterId];
        require(meter.ratedPowerW != 0, MeterRegistry_NotEnrolled(meterId));
        require(!meter.revoked, MeterRegistry_Revoked(meterId));

        // Effect: the new key takes the old one's place.
        _bindKey(meterId, x, y, validFrom, validUntil);
        (meter.x, meter.y, meter.curve) = (x, y, curve);
        (meter.validFrom, meter.validUntil) = (validFrom, validUntil);

        // Log.
        emit MeterRotated(meterId, curve);
    }

    /// @inheritdoc IMeterRegistry
    function revoke(bytes32 meterId) external onlyRole(CALIBRATOR_ROLE) {
        // Check: a meter that still speaks.
        Meter storage meter = _meters[meterId];
        require(meter.ratedPowerW != 0, MeterRegistry_NotEnrolled(meterId));
        require(!meter.revoked, MeterRegistry_Revoked(meterId));

        // Effect: it signs nothing later.
        meter.revoked = true;

        // Log.
        emit MeterRevoked(meterId);
    }

    /// @dev Binds a key to a meter for ever, so that no other meter can ever use it.
    function _bindKey(bytes32 meterId, bytes32 x, bytes32 y, uint64 validFrom, uint64 validUntil) private {
        require(x != 0 && y != 0 && validFrom < validUntil, MeterRegistry_BadMeter(meterId));
        bytes32 keyHash = keccak256(abi.encode(x, y));
        bytes32 taken = _meterOfKey[keyHash];
        require(taken == 0, MeterRegistry_KeyTaken(keyHash, taken));
        _meterOfKey[keyHash] = meterId;
    }
}
