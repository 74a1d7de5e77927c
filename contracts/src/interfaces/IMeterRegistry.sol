// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IMeterRegistry
/// @notice Who may sign for which meter, how much power it can carry, and from when until when.
/// All instants are Unix seconds.
interface IMeterRegistry {
    /// @custom:value0 Station A charging station's meter, which signs OCMF records.
    /// @custom:value1 Gateway A gateway, which signs register readings and session readings.
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

    /// @notice A meter and the key that speaks for it; one storage slot.
    /// @param signer Last 20 bytes of the keccak256 of the public key, on both curves.
    /// @param validFrom First instant its signature counts.
    /// @param validUntil First instant it counts no more; never 0 for an enrolled meter.
    /// @param ratedPowerW Most power the meter can carry, in W.
    /// @param traits Kind, curve and whether it was revoked; see {MeterRegistry}.
    struct Meter {
        address signer;
        uint32 validFrom;
        uint32 validUntil;
        uint24 ratedPowerW;
        uint8 traits;
    }

    /// @notice Emitted when a meter is enrolled, with the key that speaks for it.
    event MeterEnrolled(
        bytes32 indexed meterId,
        address indexed signer,
        Kind kind,
        Curve curve,
        uint24 ratedPowerW,
        uint32 validFrom,
        uint32 validUntil,
        bytes32 x,
        bytes32 y
    );
    /// @notice Emitted when a meter gets another key.
    event MeterRotated(
        bytes32 indexed meterId,
        address indexed signer,
        Curve curve,
        uint32 validFrom,
        uint32 validUntil,
        bytes32 x,
        bytes32 y
    );
    /// @notice Emitted when a meter's key is withdrawn.
    event MeterRevoked(bytes32 indexed meterId);
    /// @notice Emitted when a meter is somebody's to earn with.
    event OperatorAssigned(bytes32 indexed meterId, address indexed operator);

    /// @notice Thrown when a meter is enrolled twice.
    error MeterRegistry_AlreadyEnrolled(bytes32 meterId);
    /// @notice Thrown when no such meter is enrolled.
    error MeterRegistry_NotEnrolled(bytes32 meterId);
    /// @notice Thrown when a key speaks, or spoke, for another meter, or for this one before.
    error MeterRegistry_KeyTaken(address signer, bytes32 meterId);
    /// @notice Thrown when the id, the key or the power is zero, or the validity is empty.
    error MeterRegistry_BadMeter(bytes32 meterId);
    /// @notice Thrown when a revoked meter is changed.
    error MeterRegistry_Revoked(bytes32 meterId);
    /// @notice Thrown when nobody may sign for the meter now.
    error MeterRegistry_NotValid(bytes32 meterId);

    /// @notice Enrols a meter; `meterId` is the keccak256 of its serial number.
    /// @param x First coordinate of the public key.
    /// @param y Second coordinate of the public key.
    function enrol(
        bytes32 meterId,
        Kind kind,
        Curve curve,
        bytes32 x,
        bytes32 y,
        uint24 ratedPowerW,
        uint32 validFrom,
        uint32 validUntil
    ) external;

    /// @notice Gives a meter another key; the old one signs nothing later, nor ever again.
    function rotate(bytes32 meterId, Curve curve, bytes32 x, bytes32 y, uint32 validFrom, uint32 validUntil) external;

    /// @notice Withdraws a meter's key for good.
    function revoke(bytes32 meterId) external;

    /// @notice Says whose meter it is: who earns from the sessions that it measures.
    function assign(bytes32 meterId, address operator) external;

    /// @notice Returns who earns from a meter's sessions; zero if nobody, or if it was revoked.
    function operatorOf(bytes32 meterId) external view returns (address);

    /// @notice Returns a meter as enrolled, valid now or not; all zero if it is not enrolled.
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
        );

    /// @notice Returns who may sign for a meter now; reverts if nobody may.
    function speakerOf(bytes32 meterId)
        external
        view
        returns (address signer, Kind kind, Curve curve, uint256 ratedPowerW);
}
