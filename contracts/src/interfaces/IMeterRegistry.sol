// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IMeterRegistry
/// @notice Who may sign for which meter, how much power it can carry, and from when until when.
interface IMeterRegistry {
    /// @custom:value0 Station A charging station's meter, which signs OCMF records.
    /// @custom:value1 Gateway A home's gateway, which signs register readings.
    /// @custom:value2 FeederHead The meter that measures a whole neighborhood.
    enum Kind {
        Station,
        Gateway,
        FeederHead
    }

    /// @custom:value0 Secp256k1 Verified by `ecrecover`.
    /// @custom:value1 Secp256r1 P-256, verified by the precompile of EIP-7951.
    enum Curve {
        Secp256k1,
        Secp256r1
    }

    /// @notice A meter and the key that speaks for it.
    /// @param x First coordinate of the public key.
    /// @param y Second coordinate of the public key.
    /// @param kind What it measures.
    /// @param curve Curve of the key.
    /// @param revoked Whether the key was withdrawn for good.
    /// @param ratedPowerW Most power the meter can carry, in W.
    /// @param validFrom First instant its signature counts, in Unix seconds.
    /// @param validUntil First instant it counts no more, in Unix seconds.
    struct Meter {
        bytes32 x;
        bytes32 y;
        Kind kind;
        Curve curve;
        bool revoked;
        uint32 ratedPowerW;
        uint64 validFrom;
        uint64 validUntil;
    }

    /// @notice Emitted when a meter is enrolled.
    event MeterEnrolled(bytes32 indexed meterId, Kind kind, Curve curve, uint32 ratedPowerW);
    /// @notice Emitted when a meter gets another key.
    event MeterRotated(bytes32 indexed meterId, Curve curve);
    /// @notice Emitted when a meter's key is withdrawn.
    event MeterRevoked(bytes32 indexed meterId);

    /// @notice Thrown when a meter is enrolled twice.
    error MeterRegistry_AlreadyEnrolled(bytes32 meterId);
    /// @notice Thrown when no such meter is enrolled.
    error MeterRegistry_NotEnrolled(bytes32 meterId);
    /// @notice Thrown when a key speaks, or spoke, for another meter.
    error MeterRegistry_KeyTaken(bytes32 keyHash, bytes32 meterId);
    /// @notice Thrown when a key is zero, the power is zero, or the validity is empty.
    error MeterRegistry_BadMeter(bytes32 meterId);
    /// @notice Thrown when a revoked meter is changed.
    error MeterRegistry_Revoked(bytes32 meterId);

    /// @notice Enrols a meter; `meterId` is the keccak256 of its serial number.
    function enrol(
        bytes32 meterId,
        Kind kind,
        Curve curve,
        bytes32 x,
        bytes32 y,
        uint32 ratedPowerW,
        uint64 validFrom,
        uint64 validUntil
    ) external;

    /// @notice Gives a meter another key; the old one signs nothing later.
    function rotate(bytes32 meterId, Curve curve, bytes32 x, bytes32 y, uint64 validFrom, uint64 validUntil) external;

    /// @notice Withdraws a meter's key for good.
    function revoke(bytes32 meterId) external;

    /// @notice Returns a meter; all zero if it is not enrolled.
    function meterOf(bytes32 meterId) external view returns (Meter memory);
}
