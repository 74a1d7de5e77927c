// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IChargeVault
/// @notice Holds drivers' deposits. Until a session's deadline only a record that the station's
/// meter has signed ends it; after the deadline anybody gives the whole deposit back. All amounts
/// are micros of the token, all energy is in Wh, all instants are Unix seconds.
interface IChargeVault {
    /// @custom:value0 None Never opened.
    /// @custom:value1 Open The deposit is held.
    /// @custom:value2 Closed Billed by a signed record.
    /// @custom:value3 Expired Given back whole.
    enum State {
        None,
        Open,
        Closed,
        Expired
    }

    /// @notice What driver and operator agree on; its hash is the session's id and the ERC-3009 nonce.
    /// @param driver Who pays, and is paid back.
    /// @param operator Who earns.
    /// @param meterId Meter whose record ends the session.
    /// @param idTag One-time idTag that the record must carry.
    /// @param priceMicrosPerKwh Price per kWh, VAT included.
    /// @param flatMicros Fee, owed only if energy flowed, VAT included.
    /// @param depositMicros Deposit.
    /// @param tariffFingerprint SHA-256 of the tariff that was shown.
    /// @param deadline From this instant on anybody may give the deposit back.
    /// @param salt Makes the terms unique.
    struct Terms {
        address driver;
        address operator;
        bytes32 meterId;
        string idTag;
        uint64 priceMicrosPerKwh;
        uint64 flatMicros;
        uint64 depositMicros;
        bytes32 tariffFingerprint;
        uint64 deadline;
        bytes32 salt;
    }

    /// @notice Emitted when a deposit is taken.
    event SessionOpened(
        bytes32 indexed sessionId,
        address indexed driver,
        address indexed operator,
        bytes32 meterId,
        uint64 depositMicros,
        uint64 pageAtOpen,
        uint64 deadline
    );
    /// @notice Emitted when a signed record has ended a session; `pushed` says that the refund was
    /// paid out, not credited.
    event SessionClosed(
        bytes32 indexed sessionId,
        address indexed driver,
        address indexed operator,
        uint64 energyWh,
        uint64 chargeMicros,
        uint64 refundMicros,
        uint64 page,
        bool pushed
    );
    /// @notice Emitted when a deposit was given back after the deadline.
    event SessionExpired(bytes32 indexed sessionId, address indexed driver, uint64 refundMicros, bool pushed);
    /// @notice Emitted when a driver takes credit out.
    event Withdrawn(address indexed driver, uint64 amountMicros);
    /// @notice Emitted when an operator takes earnings out.
    event EarningsWithdrawn(address indexed operator, uint64 amountMicros);

    /// @notice Thrown when the terms were opened before.
    error ChargeVault_AlreadyOpened(bytes32 sessionId);
    /// @notice Thrown when no deposit is held under the terms.
    error ChargeVault_NotOpen(bytes32 sessionId);
    /// @notice Thrown when there is nothing to deposit.
    error ChargeVault_NoDeposit();
    /// @notice Thrown when the terms carry no idTag: any record of the meter could close them.
    error ChargeVault_Unbindable();
    /// @notice Thrown when the deadline is not in the future.
    error ChargeVault_DeadlinePassed(uint64 deadline, uint256 time);
    /// @notice Thrown when the deadline has not come yet.
    error ChargeVault_DeadlineNotPassed(uint64 deadline, uint256 time);
    /// @notice Thrown when the meter is no enrolled station meter, or its key does not count now.
    error ChargeVault_MeterNotValid(bytes32 meterId);
    /// @notice Thrown when the record was not signed by the meter, or was changed since.
    error ChargeVault_BadSignature(bytes32 meterId);
    /// @notice Thrown when a signature has the wrong length for the meter's curve.
    error ChargeVault_BadSignatureLength(uint256 length);
    /// @notice Thrown when the record is of another idTag.
    error ChargeVault_ForeignRecord(bytes32 found, bytes32 wanted);
    /// @notice Thrown when the record's page is not above the last one seen.
    error ChargeVault_OldPage(uint64 page, uint64 last);
    /// @notice Thrown when more energy came than the meter can carry in the time.
    error ChargeVault_AbovePower(uint256 energyWh, uint256 mostWh);
    /// @notice Thrown when an account holds less than is to be withdrawn.
    error ChargeVault_Insufficient(address account, uint64 held, uint64 wanted);

    /// @notice Takes the deposit with the driver's one signature and opens the session.
    function open(Terms calldata terms, uint256 validAfter, uint256 validBefore, uint8 v, bytes32 r, bytes32 s)
        external
        returns (bytes32 sessionId);

    /// @notice Ends a session with the meter's signed record; callable by anybody.
    /// @param payload The record's payload, byte for byte as the meter signed it.
    /// @param signature r and s (P-256), or r, s and v (secp256k1).
    function closeWithOcmf(Terms calldata terms, bytes calldata payload, bytes calldata signature) external;

    /// @notice Gives the whole deposit back after the deadline; callable by anybody.
    function expire(Terms calldata terms) external;

    /// @notice Pays the caller's credit out.
    function withdraw(uint64 amountMicros) external;

    /// @notice Pays the caller's earnings out.
    function withdrawEarned(uint64 amountMicros) external;

    /// @notice Returns the deposit held, when it was opened, the meter's last page then, and the state.
    function sessionOf(bytes32 sessionId)
        external
        view
        returns (uint64 depositMicros, uint64 openedAt, uint64 pageAtOpen, State state);

    /// @notice Returns a driver's credit: refunds that the token would not deliver.
    function freeOf(address driver) external view returns (uint64);

    /// @notice Returns what an operator has earned and not taken out.
    function earnedOf(address operator) external view returns (uint64);

    /// @notice Returns the last transaction page that closed a session of the meter.
    function lastPageOf(bytes32 meterId) external view returns (uint64);
}
