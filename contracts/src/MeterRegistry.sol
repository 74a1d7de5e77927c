// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IMeterRegistry} from "./interfaces/IMeterRegistry.sol";

/// @title MeterRegistry
/// @notice See {IMeterRegistry}. A calibration authority enrols; one key speaks for one meter, ever.
contract MeterRegistry is IMeterRegistry, AccessControl {
    /// @notice Who may enrol, rotate and revoke.
    bytes32 public constant CALIBRATOR_ROLE = keccak256("CALIBRATOR_ROLE");

    /// @dev Traits of a meter: bits 0 and 1 its kind, bit 2 its curve, bit 3 whether it was revoked.
    uint8 private constant KIND_MASK = 0x03;
    uint8 private constant CURVE_SHIFT = 2;
    uint8 private constant CURVE_BIT = 0x04;
    uint8 private constant REVOKED_BIT = 0x08;

    mapping(bytes32 meterId => Meter meter) private _meters;
    mapping(address signer => bytes32 meterId) private _meterOfKey;
    mapping(bytes32 meterId => address operator) private _operators;

    /// @param admin Administrator and first calibrator.
    constructor(address admin) {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(CALIBRATOR_ROLE, admin);
    }

    /// @inheritdoc IMeterRegistry
    function meterOf(bytes32 meterId)
        external
        view
        returns (
            address signer,
            Kind kind,
            Curve curve,
            bool revoked,
            uint24 ratedPowerW,
            uint32 validFrom,
            uint32 validUntil
        )
    {
        Meter memory meter = _meters[meterId];
        (kind, curve, revoked) = _traits(meter.traits);
        return (meter.signer, kind, curve, revoked, meter.ratedPowerW, meter.validFrom, meter.validUntil);
    }

    /// @inheritdoc IMeterRegistry
    function speakerOf(bytes32 meterId)
        external
        view
        returns (address signer, Kind kind, Curve curve, uint256 ratedPowerW)
    {
        Meter memory meter = _meters[meterId];
        bool revoked;
        (kind, curve, revoked) = _traits(meter.traits);
        // A meter that is not enrolled is valid until 0.
        require(
            !revoked && meter.validFrom <= block.timestamp && block.timestamp < meter.validUntil,
            MeterRegistry_NotValid(meterId)
        );
        return (meter.signer, kind, curve, meter.ratedPowerW);
    }

    /// @inheritdoc IMeterRegistry
    function operatorOf(bytes32 meterId) external view returns (address) {
        return _meters[meterId].traits & REVOKED_BIT == 0 ? _operators[meterId] : address(0);
    }

    /// @inheritdoc IMeterRegistry
    function enrol(
        bytes32 meterId,
        Kind kind,
        Curve curve,
        bytes32 x,
        bytes32 y,
        uint24 ratedPowerW,
        uint32 validFrom,
        uint32 validUntil
    ) external onlyRole(CALIBRATOR_ROLE) {
        // Check: a new meter that can measure something.
        require(_meters[meterId].validUntil == 0, MeterRegistry_AlreadyEnrolled(meterId));
        require(meterId != 0 && ratedPowerW != 0, MeterRegistry_BadMeter(meterId));

        // Effect: the meter and its key.
        address signer = _bindKey(meterId, x, y, validFrom, validUntil);
        uint8 traits = uint8(kind) | (uint8(curve) << CURVE_SHIFT);
        _meters[meterId] = Meter(signer, validFrom, validUntil, ratedPowerW, traits);

        // Log.
        emit MeterEnrolled(meterId, signer, kind, curve, ratedPowerW, validFrom, validUntil, x, y);
    }

    /// @inheritdoc IMeterRegistry
    function rotate(bytes32 meterId, Curve curve, bytes32 x, bytes32 y, uint32 validFrom, uint32 validUntil)
        external
        onlyRole(CALIBRATOR_ROLE)
    {
        // Check: a meter that still speaks.
        Meter storage meter = _speaking(meterId);

        // Effect: the new key takes the old one's place.
        address signer = _bindKey(meterId, x, y, validFrom, validUntil);
        uint8 traits = (meter.traits & KIND_MASK) | (uint8(curve) << CURVE_SHIFT);
        _meters[meterId] = Meter(signer, validFrom, validUntil, meter.ratedPowerW, traits);

        // Log.
        emit MeterRotated(meterId, signer, curve, validFrom, validUntil, x, y);
    }

    /// @inheritdoc IMeterRegistry
    function revoke(bytes32 meterId) external onlyRole(CALIBRATOR_ROLE) {
        // Check: a meter that still speaks.
        Meter storage meter = _speaking(meterId);

        // Effect: it signs nothing later.
        meter.traits |= REVOKED_BIT;

        // Log.
        emit MeterRevoked(meterId);
    }

    /// @inheritdoc IMeterRegistry
    function assign(bytes32 meterId, address operator) external onlyRole(CALIBRATOR_ROLE) {
        // Check: a meter that still speaks.
        _speaking(meterId);

        // Effect, log.
        _operators[meterId] = operator;
        emit OperatorAssigned(meterId, operator);
    }

    /// @dev Returns a meter that is enrolled and was not revoked.
    function _speaking(bytes32 meterId) private view returns (Meter storage meter) {
        meter = _meters[meterId];
        require(meter.validUntil != 0, MeterRegistry_NotEnrolled(meterId));
        require(meter.traits & REVOKED_BIT == 0, MeterRegistry_Revoked(meterId));
    }

    /// @dev Binds a key to a meter for ever, so that no other meter can ever use it, nor this one again.
    function _bindKey(bytes32 meterId, bytes32 x, bytes32 y, uint32 validFrom, uint32 validUntil)
        private
        returns (address signer)
    {
        require(x != 0 && y != 0 && validFrom < validUntil, MeterRegistry_BadMeter(meterId));
        signer = address(uint160(uint256(keccak256(abi.encode(x, y)))));
        bytes32 taken = _meterOfKey[signer];
        require(taken == 0, MeterRegistry_KeyTaken(signer, taken));
        _meterOfKey[signer] = meterId;
    }

    /// @dev Takes the traits of a meter apart.
    function _traits(uint8 traits) private pure returns (Kind kind, Curve curve, bool revoked) {
        return (Kind(traits & KIND_MASK), Curve((traits & CURVE_BIT) >> CURVE_SHIFT), traits & REVOKED_BIT != 0);
    }
}
