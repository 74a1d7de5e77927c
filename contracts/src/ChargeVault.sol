// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IChargeVault} from "./interfaces/IChargeVault.sol";
import {IERC3009Token} from "./interfaces/IERC3009Token.sol";
import {IMeterRegistry} from "./interfaces/IMeterRegistry.sol";
import {Billing} from "./libraries/Billing.sol";
import {Ocmf} from "./libraries/Ocmf.sol";

/// @title ChargeVault
/// @notice See {IChargeVault}. Immutable; nobody has a role in it.
contract ChargeVault is IChargeVault, ReentrancyGuardTransient {
    using SafeERC20 for IERC3009Token;

    /// @notice Type of the terms (EIP-712 `hashStruct`).
    bytes32 public constant TERMS_TYPEHASH = keccak256(
        "SessionTerms(address driver,address operator,bytes32 meterId,string idTag,uint64 priceMicrosPerKwh,uint64 flatMicros,uint64 depositMicros,bytes32 tariffFingerprint,uint64 deadline,bytes32 salt)"
    );

    /// @dev P-256 verification (EIP-7951).
    address private constant P256_VERIFY = address(0x100);
    /// @dev What a meter may show beyond its rated power, in percent.
    uint256 private constant POWER_TOLERANCE_PERCENT = 105;

    /// @dev One slot for each session.
    struct Session {
        uint64 depositMicros;
        uint64 openedAt;
        uint64 pageAtOpen;
        State state;
    }

    /// @notice Token of all deposits.
    IERC3009Token public immutable TOKEN;
    /// @notice Who may sign for which meter.
    IMeterRegistry public immutable REGISTRY;

    mapping(bytes32 sessionId => Session session) private _sessions;
    mapping(address driver => uint64 micros) private _free;
    mapping(address operator => uint64 micros) private _earned;
    mapping(bytes32 meterId => uint64 page) private _lastPage;

    /// @param token Vetted token of 6 decimals with ERC-3009.
    /// @param registry Registry of meters.
    constructor(IERC3009Token token, IMeterRegistry registry) {
        TOKEN = token;
        REGISTRY = registry;
    }

    /// @inheritdoc IChargeVault
    function sessionOf(bytes32 sessionId) external view returns (uint64, uint64, uint64, State) {
        Session memory session = _sessions[sessionId];
        return (session.depositMicros, session.openedAt, session.pageAtOpen, session.state);
    }

    /// @inheritdoc IChargeVault
    function freeOf(address driver) external view returns (uint64) {
        return _free[driver];
    }

    /// @inheritdoc IChargeVault
    function earnedOf(address operator) external view returns (uint64) {
        return _earned[operator];
    }

    /// @inheritdoc IChargeVault
    function lastPageOf(bytes32 meterId) external view returns (uint64) {
        return _lastPage[meterId];
    }

    /// @inheritdoc IChargeVault
    function open(Terms calldata terms, uint256 validAfter, uint256 validBefore, uint8 v, bytes32 r, bytes32 s)
        external
        nonReentrant
        returns (bytes32 sessionId)
    {
        // Check: new terms that a record can end in time.
        sessionId = hashTerms(terms);
        require(_sessions[sessionId].state == State.None, ChargeVault_AlreadyOpened(sessionId));
        require(terms.depositMicros != 0, ChargeVault_NoDeposit());
        require(bytes(terms.idTag).length != 0, ChargeVault_Unbindable());
        require(block.timestamp < terms.deadline, ChargeVault_DeadlinePassed(terms.deadline, block.timestamp));
        _validMeter(terms.meterId);

        // Effect: the deposit is held.
        uint64 page = _lastPage[terms.meterId];
        _sessions[sessionId] = Session(terms.depositMicros, uint64(block.timestamp), page, State.Open);

        // Interaction: the driver's signature lets exactly this contract take exactly this deposit.
        TOKEN.receiveWithAuthorization(
            terms.driver, address(this), terms.depositMicros, validAfter, validBefore, sessionId, v, r, s
        );

        // Log.
        emit SessionOpened(
            sessionId, terms.driver, terms.operator, terms.meterId, terms.depositMicros, page, terms.deadline
        );
    }

    /// @inheritdoc IChargeVault
    function closeWithOcmf(Terms calldata terms, bytes calldata payload, bytes calldata signature)
        external
        nonReentrant
    {
        // Check: an open session, and a record of it that its meter has signed.
        bytes32 sessionId = hashTerms(terms);
        Session memory session = _openSession(sessionId);
        require(block.timestamp < terms.deadline, ChargeVault_DeadlinePassed(terms.deadline, block.timestamp));
        Ocmf.Session memory record = _verified(terms, session, payload, signature);

        // Effect: charge and refund are the deposit, exactly.
        uint64 charge =
            Billing.charge(record.energyWh, terms.priceMicrosPerKwh, terms.flatMicros, session.depositMicros);
        uint64 refund = session.depositMicros - charge;
        _end(sessionId, State.Closed);
        _lastPage[terms.meterId] = record.page;
        _earned[terms.operator] += charge;

        // Interaction: the refund leaves in this transaction.
        bool pushed = _payOrCredit(terms.driver, refund);

        // Log.
        emit SessionClosed(
            sessionId, terms.driver, terms.operator, uint64(record.energyWh), charge, refund, record.page, pushed
        );
    }

    /// @inheritdoc IChargeVault
    function expire(Terms calldata terms) external nonReentrant {
        // Check: an open session whose deadline has come.
        bytes32 sessionId = hashTerms(terms);
        Session memory session = _openSession(sessionId);
        require(block.timestamp >= terms.deadline, ChargeVault_DeadlineNotPassed(terms.deadline, block.timestamp));

        // Effect: nothing is charged.
        _end(sessionId, State.Expired);

        // Interaction: the whole deposit goes back.
        bool pushed = _payOrCredit(terms.driver, session.depositMicros);

        // Log.
        emit SessionExpired(sessionId, terms.driver, session.depositMicros, pushed);
    }

    /// @inheritdoc IChargeVault
    function withdraw(uint64 amountMicros) external nonReentrant {
        // Check: the credit is there.
        uint64 held = _free[msg.sender];
        require(amountMicros <= held, ChargeVault_Insufficient(msg.sender, held, amountMicros));
        // Effect, interaction, log.
        _free[msg.sender] = held - amountMicros;
        TOKEN.safeTransfer(msg.sender, amountMicros);
        emit Withdrawn(msg.sender, amountMicros);
    }

    /// @inheritdoc IChargeVault
    function withdrawEarned(uint64 amountMicros) external nonReentrant {
        // Check: the earnings are there.
        uint64 held = _earned[msg.sender];
        require(amountMicros <= held, ChargeVault_Insufficient(msg.sender, held, amountMicros));
        // Effect, interaction, log.
        _earned[msg.sender] = held - amountMicros;
        TOKEN.safeTransfer(msg.sender, amountMicros);
        emit EarningsWithdrawn(msg.sender, amountMicros);
    }

    /// @notice Returns the id of a session: the hash of its terms.
    function hashTerms(Terms calldata terms) public pure returns (bytes32) {
        return keccak256(
            abi.encode(
                TERMS_TYPEHASH,
                terms.driver,
                terms.operator,
                terms.meterId,
                keccak256(bytes(terms.idTag)),
                terms.priceMicrosPerKwh,
                terms.flatMicros,
                terms.depositMicros,
                terms.tariffFingerprint,
                terms.deadline,
                terms.salt
            )
        );
    }

    /// @dev Returns a session that holds a deposit.
    function _openSession(bytes32 sessionId) private view returns (Session memory session) {
        session = _sessions[sessionId];
        require(session.state == State.Open, ChargeVault_NotOpen(sessionId));
    }

    /// @dev Returns an enrolled station meter whose key counts now.
    function _validMeter(bytes32 meterId) private view returns (IMeterRegistry.Meter memory meter) {
        meter = REGISTRY.meterOf(meterId);
        require(
            meter.ratedPowerW != 0 && !meter.revoked && meter.kind == IMeterRegistry.Kind.Station
                && meter.validFrom <= block.timestamp && block.timestamp < meter.validUntil,
            ChargeVault_MeterNotValid(meterId)
        );
    }

    /// @dev Returns what the record says, once it is proven to be of this session and possible.
    function _verified(
        Terms calldata terms,
        Session memory session,
        bytes calldata payload,
        bytes calldata signature
    ) private view returns (Ocmf.Session memory record) {
        IMeterRegistry.Meter memory meter = _validMeter(terms.meterId);
        _checkSignature(terms.meterId, meter, sha256(payload), signature);
        record = Ocmf.read(payload);
        require(record.hasIdTag, ChargeVault_Unbindable());
        bytes32 wanted = keccak256(bytes(terms.idTag));
        require(record.idTagHash == wanted, ChargeVault_ForeignRecord(record.idTagHash, wanted));
        uint64 last = _lastPage[terms.meterId];
        uint64 floor = last > session.pageAtOpen ? last : session.pageAtOpen;
        require(record.page > floor, ChargeVault_OldPage(record.page, floor));
        uint256 elapsed = block.timestamp - session.openedAt;
        uint256 most = uint256(meter.ratedPowerW) * elapsed * POWER_TOLERANCE_PERCENT / (3600 * 100);
        require(record.energyWh <= most, ChargeVault_AbovePower(record.energyWh, most));
    }

    /// @dev Checks a signature over the SHA-256 of a payload. High s is accepted: replay is
    /// prevented by the page, never by the signature.
    function _checkSignature(
        bytes32 meterId,
        IMeterRegistry.Meter memory meter,
        bytes32 digest,
        bytes calldata signature
    ) private view {
        bool isR1 = meter.curve == IMeterRegistry.Curve.Secp256r1;
        require(signature.length == (isR1 ? 64 : 65), ChargeVault_BadSignatureLength(signature.length));
        bytes32 r = bytes32(signature[0:32]);
        bytes32 s = bytes32(signature[32:64]);
        if (isR1) {
            (bool ok, bytes memory answer) = P256_VERIFY.staticcall(abi.encode(digest, r, s, meter.x, meter.y));
            require(ok && answer.length == 32 && bytes32(answer) == bytes32(uint256(1)), ChargeVault_BadSignature(meterId));
            return;
        }
        address signer = ecrecover(digest, uint8(signature[64]), r, s);
        address wanted = address(uint160(uint256(keccak256(abi.encode(meter.x, meter.y)))));
        require(signer != address(0) && signer == wanted, ChargeVault_BadSignature(meterId));
    }

    /// @dev Ends a session; its deposit is no longer held.
    function _end(bytes32 sessionId, State state) private {
        _sessions[sessionId].depositMicros = 0;
        _sessions[sessionId].state = state;
    }

    /// @dev Pays a driver, or credits them if the token refuses, so that a blocked driver never
    /// blocks a station. Returns whether it was paid.
    function _payOrCredit(address driver, uint64 amountMicros) private returns (bool pushed) {
        if (amountMicros == 0) {
            return true;
        }
        pushed = TOKEN.trySafeTransfer(driver, amountMicros);
        if (!pushed) {
            _free[driver] += amountMicros;
        }
    }
}
