// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IChargeVault
/// @notice Holds drivers' money. Until a session's deadline only what the meter of its terms has
/// signed ends it, brought by anybody; after the deadline anybody gives the whole deposit back. All
/// amounts are micros of the token, all energy is in Wh, all instants are Unix seconds.
interface IChargeVault {
    /// @notice What driver and operator agree on; its hash is the session's id and the ERC-3009 nonce.
    /// @param driver Who pays, and is paid back.
    /// @param purse Which of the driver's purses holds the deposit; one session at a time in each.
    /// @param operator Who earns.
    /// @param meterId Meter whose signature ends the session.
    /// @param idTag One-time idTag that a station meter's record must carry.
    /// @param priceMicrosPerKwh Price per kWh, VAT included.
    /// @param flatMicros Fee, owed only if energy flowed, VAT included.
    /// @param depositMicros Deposit.
    /// @param tariffFingerprint SHA-256 of the tariff that was shown.
    /// @param deadline From this instant on anybody may give the deposit back.
    /// @param salt Makes the terms unique: from a standing balance the purse's number of sessions
    /// before plus one, from a wallet any other value, above 2^24.
    struct Terms {
        address driver;
        uint32 purse;
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

    /// @notice What was so when a session was opened; the vault keeps only a hash of it and the terms.
    /// @param openedAt When it was opened.
    /// @param pageAtOpen Last page seen of the meter then.
    /// @param fromWallet Whether the deposit came from a wallet, whereto the refund is pushed.
    struct Opening {
        uint64 openedAt;
        uint64 pageAtOpen;
        bool fromWallet;
    }

    /// @notice What a gateway's meter measured of a session (EIP-712 `SessionReading`).
    /// @param beginWh Register at the begin.
    /// @param endWh Register at the end.
    /// @param endedAt When it ended.
    struct Reading {
        uint64 beginWh;
        uint64 endWh;
        uint64 endedAt;
    }

    /// @notice An ERC-3009 authorization without its nonce, which the vault knows.
    struct Authorization {
        uint256 validAfter;
        uint256 validBefore;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    /// @notice One session of {openBatch}.
    struct SignedTerms {
        Terms terms;
        bytes signature;
    }

    /// @notice One session of {closeBatch}.
    struct SignedReading {
        Terms terms;
        Opening opening;
        Reading reading;
        bytes signature;
    }

    /// @notice Emitted when a deposit is held; with the block's time it is the session's opening.
    event SessionOpened(
        bytes32 indexed sessionId,
        address indexed driver,
        address indexed operator,
        uint32 purse,
        bytes32 meterId,
        uint64 depositMicros,
        uint64 pageAtOpen,
        bool fromWallet
    );
    /// @notice Emitted when a deposit is raised.
    event SessionToppedUp(bytes32 indexed sessionId, uint64 amountMicros, uint64 depositMicros, bool fromWallet);
    /// @notice Emitted when a signed record has ended a session; `page` is 0 if a gateway signed, and
    /// `pushed` says that the refund was paid out, not credited.
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
    /// @notice Emitted when a session of a batch was not open any more, and was passed over.
    event SessionPassedOver(bytes32 indexed sessionId);
    /// @notice Emitted when a standing balance is raised.
    event Deposited(address indexed driver, uint32 purse, uint64 amountMicros);
    /// @notice Emitted when a driver takes free money out.
    event Withdrawn(address indexed driver, uint32 purse, address to, uint64 amountMicros);
    /// @notice Emitted when a station's meter is bound to who earns from it; what it had earned for
    /// the operator before became that operator's own.
    event StationBound(bytes32 indexed meterId, address indexed operator, address before, uint64 earnedMicros);
    /// @notice Emitted when a station's earnings become its operator's own.
    event EarningsCollected(bytes32 indexed meterId, address indexed operator, uint64 amountMicros);
    /// @notice Emitted when an operator takes earnings out.
    event EarningsWithdrawn(address indexed operator, address to, uint64 amountMicros);

    /// @notice Thrown when the purse holds another session's deposit.
    error ChargeVault_PurseInUse(address driver, uint32 purse);
    /// @notice Thrown when no deposit is held under these terms and this opening.
    error ChargeVault_NotOpen(bytes32 sessionId);
    /// @notice Thrown when there is nothing to deposit.
    error ChargeVault_NoDeposit();
    /// @notice Thrown when terms or record carry no idTag: any record of the meter could close them.
    error ChargeVault_Unbindable();
    /// @notice Thrown when the salt is not the one that a standing balance asks for, or is one for a wallet.
    error ChargeVault_BadSalt(bytes32 salt);
    /// @notice Thrown when the deadline is not in the future.
    error ChargeVault_DeadlinePassed(uint64 deadline, uint256 time);
    /// @notice Thrown when the deadline has not come yet.
    error ChargeVault_DeadlineNotPassed(uint64 deadline, uint256 time);
    /// @notice Thrown when the meter is not the operator's to earn with.
    error ChargeVault_NotTheOperator(bytes32 meterId, address operator, address bound);
    /// @notice Thrown when a meter of this kind ends no session, or not with this evidence.
    error ChargeVault_WrongKind(bytes32 meterId);
    /// @notice Thrown when the meter did not sign this, or it was changed since.
    error ChargeVault_BadSignature(bytes32 meterId);
    /// @notice Thrown when a signature has the wrong length for the meter's curve.
    error ChargeVault_BadSignatureLength(uint256 length);
    /// @notice Thrown when somebody else than the driver signed, or sent.
    error ChargeVault_NotTheDriver(address found, address driver);
    /// @notice Thrown when the record is of another idTag.
    error ChargeVault_ForeignRecord(bytes32 found, bytes32 wanted);
    /// @notice Thrown when the record's page is not above the last one seen at open, or too far below
    /// the last one seen now.
    error ChargeVault_OldPage(uint64 page, uint64 last);
    /// @notice Thrown when the record's page is higher than any meter counts: above 2^32 - 1.
    error ChargeVault_PageTooHigh(uint64 page);
    /// @notice Thrown when a meter has earned more than its slot can say; anybody may collect it first.
    error ChargeVault_StationFull(uint256 micros);
    /// @notice Thrown when the record has closed a session already.
    error ChargeVault_PageSpent(uint64 page);
    /// @notice Thrown when the register's end is below its begin.
    error ChargeVault_Backwards(uint64 begin, uint64 end);
    /// @notice Thrown when the session is said to have ended outside of its own time.
    error ChargeVault_OutsideSession(uint64 endedAt, uint64 openedAt, uint256 time);
    /// @notice Thrown when more energy came than the meter can carry in the time.
    error ChargeVault_AbovePower(uint256 energyWh, uint256 mostWh);
    /// @notice Thrown when a co-signed total is below what flat fee and energy come to.
    error ChargeVault_TotalTooSmall(uint64 totalMicros, uint64 owedMicros);
    /// @notice Thrown when an account holds less than is wanted.
    error ChargeVault_Insufficient(address account, uint64 held, uint64 wanted);
    /// @notice Thrown when the token delivered another amount than it was told to.
    error ChargeVault_TokenShort(uint256 received, uint256 wanted);

    /// @notice Takes the deposit from the driver's wallet and opens the session, by one signature of
    /// the driver: an ERC-3009 authorization whose nonce is the hash of the terms.
    function open(Terms calldata terms, Authorization calldata authorization) external returns (bytes32 sessionId);

    /// @notice Opens a session from the driver's standing balance.
    /// @param signature The driver's over the terms (EIP-712); empty if the driver sends this.
    function openFromBalance(Terms calldata terms, bytes calldata signature) external returns (bytes32 sessionId);

    /// @notice Opens many sessions from standing balances, each signed by its driver.
    function openBatch(SignedTerms[] calldata orders) external;

    /// @notice Raises the deposit of a running session from the driver's wallet; the authorization's
    /// nonce is the EIP-712 hash of `TopUp`.
    function topUp(
        Terms calldata terms,
        Opening calldata opening,
        uint64 amountMicros,
        Authorization calldata authorization
    ) external;

    /// @notice Raises the deposit of the caller's running session from its standing balance.
    function topUpFromBalance(Terms calldata terms, Opening calldata opening, uint64 amountMicros) external;

    /// @notice Ends a session with the station meter's signed record.
    /// @param payload The record's payload, byte for byte as the meter signed it.
    /// @param signature r, s, x, y (P-256), or r, s, v (secp256k1).
    function closeWithOcmf(
        Terms calldata terms,
        Opening calldata opening,
        bytes calldata payload,
        bytes calldata signature
    ) external;

    /// @notice Ends a session with the station meter's signed record and a total that the driver has
    /// signed (EIP-712 `SessionTotal`): what a tariff adds to flat fee and energy.
    function closeCosigned(
        Terms calldata terms,
        Opening calldata opening,
        bytes calldata payload,
        bytes calldata signature,
        uint64 totalMicros,
        bytes calldata driverSignature
    ) external;

    /// @notice Ends a session with a reading that its meter's gateway has signed.
    function close(Terms calldata terms, Opening calldata opening, Reading calldata reading, bytes calldata signature)
        external;

    /// @notice Ends many sessions, each with its gateway's reading; passes over those not open.
    function closeBatch(SignedReading[] calldata readings) external;

    /// @notice Gives the whole deposit back after the deadline.
    function expire(Terms calldata terms, Opening calldata opening) external;

    /// @notice Raises a driver's standing balance from the caller's allowance.
    function deposit(address driver, uint32 purse, uint64 amountMicros) external;

    /// @notice Raises the caller's standing balance with a permit (EIP-2612) in the same transaction.
    function depositWithPermit(uint32 purse, uint64 amountMicros, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external;

    /// @notice Pays the caller's free money out.
    function withdraw(uint32 purse, address to, uint64 amountMicros) external;

    /// @notice Lets a meter earn for whom the registry says, for nobody if it was revoked; anybody may
    /// bring it up to date. Nothing is opened at a meter that earns for nobody.
    function bind(bytes32 meterId) external;

    /// @notice Makes what stations' meters have earned their operators' own.
    function collect(bytes32[] calldata meterIds) external;

    /// @notice Pays the caller's own earnings out.
    function withdrawEarned(address to, uint64 amountMicros) external;

    /// @notice Returns the id of a session: the hash of its terms.
    function hashTerms(Terms calldata terms) external view returns (bytes32);

    /// @notice Returns whether a deposit is held under these terms and this opening.
    function isOpen(Terms calldata terms, Opening calldata opening) external view returns (bool);

    /// @notice Returns the free money in a driver's purse: standing balance and refunds not delivered.
    function freeOf(address driver, uint32 purse) external view returns (uint64);

    /// @notice Returns the deposit that a driver's purse holds for its running session.
    function depositOf(address driver, uint32 purse) external view returns (uint64);

    /// @notice Returns how many sessions were opened in a driver's purse.
    function openedOf(address driver, uint32 purse) external view returns (uint32);

    /// @notice Returns an operator's own earnings: by gateways, and collected from stations.
    function earnedOf(address operator) external view returns (uint64);

    /// @notice Returns whom a meter earns for; zero until bound.
    function operatorOf(bytes32 meterId) external view returns (address);

    /// @notice Returns what a meter's records have earned that was not collected.
    function stationEarned(bytes32 meterId) external view returns (uint64);

    /// @notice Returns the highest transaction page that closed a session of the meter.
    function lastPageOf(bytes32 meterId) external view returns (uint64);
}
