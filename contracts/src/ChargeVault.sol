// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IChargeVault} from "./interfaces/IChargeVault.sol";
import {IERC3009Token} from "./interfaces/IERC3009Token.sol";
import {IMeterRegistry} from "./interfaces/IMeterRegistry.sol";
import {Billing} from "./libraries/Billing.sol";
import {TermsHash} from "./libraries/TermsHash.sol";
import {Purse} from "./types/Purse.sol";
import {Evidence} from "./vault/Evidence.sol";
import {Purses} from "./vault/Purses.sol";
import {Stations} from "./vault/Stations.sol";

/// @title ChargeVault
/// @notice See {IChargeVault}. Immutable; nobody has a role in it. This is the session's side: it
/// opens, raises, closes and expires; money lies in {Purses} and {Stations}, proof in {Evidence}.
contract ChargeVault is Evidence {
    /// @notice Type of the terms (EIP-712).
    bytes32 public constant TERMS_TYPEHASH = keccak256(
        "SessionTerms(address driver,uint32 purse,address operator,bytes32 meterId,string idTag,uint64 priceMicrosPerKwh,uint64 flatMicros,uint64 depositMicros,bytes32 tariffFingerprint,uint64 deadline,bytes32 salt)"
    );
    /// @notice Type of a top-up (EIP-712 `hashStruct`); its hash is the ERC-3009 nonce.
    bytes32 public constant TOP_UP_TYPEHASH =
        keccak256("TopUp(bytes32 sessionId,uint64 depositMicros,uint64 amountMicros)");
    /// @notice Type of a total that the driver signs (EIP-712).
    bytes32 public constant TOTAL_TYPEHASH = keccak256("SessionTotal(bytes32 sessionId,uint64 totalMicros)");

    /// @param token Vetted token of 6 decimals with ERC-3009.
    /// @param registry Registry of meters.
    constructor(IERC3009Token token, IMeterRegistry registry) EIP712("Voisin", "1") Purses(token) Stations(registry) {}

    /// @inheritdoc IChargeVault
    function open(Terms calldata terms, Authorization calldata authorization)
        external
        nonReentrant
        returns (bytes32 sessionId)
    {
        // Check: a salt that no standing balance asks for, so that no terms open twice.
        require(uint256(terms.salt) > 2 ** 24, ChargeVault_BadSalt(terms.salt));

        // Effect: the deposit is held.
        sessionId = hashTerms(terms);
        (address driver, uint64 micros) = (terms.driver, terms.depositMicros);
        uint256 key = _key(driver, terms.purse);
        _begin(terms, sessionId, key, _purses[key], micros, true);

        // Interaction: the driver's signature lets exactly this contract take exactly this deposit.
        _pull(driver, micros, sessionId, authorization);
    }

    /// @inheritdoc IChargeVault
    function openFromBalance(Terms calldata terms, bytes calldata signature) public returns (bytes32 sessionId) {
        // Check: the driver wants it, these terms for the first time, and the money is there.
        sessionId = hashTerms(terms);
        (address driver, uint64 micros) = (terms.driver, terms.depositMicros);
        if (msg.sender != driver) {
            _checkDriver(driver, sessionId, signature);
        }
        uint256 key = _key(driver, terms.purse);
        Purse purse = _purses[key];
        require(uint256(terms.salt) == purse.opened() + 1, ChargeVault_BadSalt(terms.salt));
        _checkFree(driver, purse, micros);

        // Effect: the deposit is held.
        _begin(terms, sessionId, key, purse.takeFree(micros), micros, false);
    }

    /// @inheritdoc IChargeVault
    function openBatch(SignedTerms[] calldata orders) external {
        for (uint256 i = 0; i < orders.length; ++i) {
            openFromBalance(orders[i].terms, orders[i].signature);
        }
    }

    /// @inheritdoc IChargeVault
    function topUp(
        Terms calldata terms,
        Opening calldata opening,
        uint64 amountMicros,
        Authorization calldata authorization
    ) external nonReentrant {
        // Check, effect: more is held.
        (bytes32 sessionId, uint256 key, Purse purse) = _running(terms, opening);
        _raise(sessionId, key, purse, amountMicros, true);

        // Interaction: the signature says what the deposit was, so it counts once.
        bytes32 nonce = keccak256(abi.encode(TOP_UP_TYPEHASH, sessionId, purse.deposit(), amountMicros));
        _pull(terms.driver, amountMicros, nonce, authorization);
    }

    /// @inheritdoc IChargeVault
    function topUpFromBalance(Terms calldata terms, Opening calldata opening, uint64 amountMicros) external {
        // Check: the driver's own money, and it is there.
        address driver = terms.driver;
        require(msg.sender == driver, ChargeVault_NotTheDriver(msg.sender, driver));
        (bytes32 sessionId, uint256 key, Purse purse) = _running(terms, opening);
        _checkFree(driver, purse, amountMicros);

        // Effect: more is held.
        _raise(sessionId, key, purse.takeFree(amountMicros), amountMicros, false);
    }

    /// @inheritdoc IChargeVault
    function closeWithOcmf(
        Terms calldata terms,
        Opening calldata opening,
        bytes calldata payload,
        bytes calldata signature
    ) external nonReentrant {
        _closeByRecord(terms, opening, payload, signature, 0, signature[:0]);
    }

    /// @inheritdoc IChargeVault
    function closeCosigned(
        Terms calldata terms,
        Opening calldata opening,
        bytes calldata payload,
        bytes calldata signature,
        uint64 totalMicros,
        bytes calldata driverSignature
    ) external nonReentrant {
        require(totalMicros != 0, ChargeVault_TotalTooSmall(totalMicros, 1));
        _closeByRecord(terms, opening, payload, signature, totalMicros, driverSignature);
    }

    /// @inheritdoc IChargeVault
    function close(Terms calldata terms, Opening calldata opening, Reading calldata reading, bytes calldata signature)
        external
        nonReentrant
    {
        (bytes32 sessionId, uint256 key, Purse purse) = _running(terms, opening);
        _closeByReading(terms, opening, sessionId, key, purse, reading, signature);
    }

    /// @inheritdoc IChargeVault
    function closeBatch(SignedReading[] calldata readings) external nonReentrant {
        for (uint256 i = 0; i < readings.length; ++i) {
            SignedReading calldata one = readings[i];
            (bytes32 sessionId, uint256 key, Purse purse, bool isOpen_) = _find(one.terms, one.opening);
            // Whoever ends one of them first must not be able to hold up the others.
            if (!isOpen_ || block.timestamp >= one.terms.deadline) {
                emit SessionPassedOver(sessionId);
                continue;
            }
            _closeByReading(one.terms, one.opening, sessionId, key, purse, one.reading, one.signature);
        }
    }

    /// @inheritdoc IChargeVault
    function expire(Terms calldata terms, Opening calldata opening) external nonReentrant {
        // Check: an open session whose deadline has come.
        (bytes32 sessionId, uint256 key, Purse purse, bool isOpen_) = _find(terms, opening);
        require(isOpen_, ChargeVault_NotOpen(sessionId));
        uint64 deadline = terms.deadline;
        require(block.timestamp >= deadline, ChargeVault_DeadlineNotPassed(deadline, block.timestamp));

        // Effect, interaction: nothing is charged, the whole deposit goes back.
        uint64 refund = purse.deposit();
        address driver = terms.driver;
        bool pushed = _end(driver, key, purse, refund, opening.fromWallet);

        // Log.
        emit SessionExpired(sessionId, driver, refund, pushed);
    }

    /// @inheritdoc IChargeVault
    function isOpen(Terms calldata terms, Opening calldata opening) external view returns (bool found) {
        (,,, found) = _find(terms, opening);
    }

    /// @inheritdoc IChargeVault
    function hashTerms(Terms calldata terms) public pure returns (bytes32) {
        return TermsHash.hash(TERMS_TYPEHASH, terms);
    }

    /// @dev Checks new terms and holds their deposit in a purse, whose state this is.
    function _begin(Terms calldata terms, bytes32 sessionId, uint256 key, Purse purse, uint64 micros, bool fromWallet)
        private
    {
        // Check: terms that somebody can end in time, in a purse where nothing runs.
        (address driver, uint32 number, address operator, bytes32 meterId) =
            (terms.driver, terms.purse, terms.operator, terms.meterId);
        require(!purse.isRunning(), ChargeVault_PurseInUse(driver, number));
        require(micros != 0, ChargeVault_NoDeposit());
        require(bytes(terms.idTag).length != 0, ChargeVault_Unbindable());
        _checkInTime(terms.deadline);
        uint64 page = _pageAtOpen(meterId, operator);

        // Effect: the deposit is held.
        _purses[key] = purse.begin(micros, _seal(sessionId, uint64(block.timestamp), page, fromWallet));

        // Log.
        emit SessionOpened(sessionId, driver, operator, number, meterId, micros, page, fromWallet);
    }

    /// @dev Raises the deposit of a running session.
    function _raise(bytes32 sessionId, uint256 key, Purse purse, uint64 amountMicros, bool fromWallet) private {
        // Check, effect: something comes, and it fits.
        require(amountMicros != 0, ChargeVault_NoDeposit());
        Purse raised = purse.raise(amountMicros);
        _purses[key] = raised;

        // Log.
        emit SessionToppedUp(sessionId, amountMicros, raised.deposit(), fromWallet);
    }

    /// @dev Ends a session by its station meter's record, and by a total that the driver has signed
    /// unless that is 0.
    function _closeByRecord(
        Terms calldata terms,
        Opening calldata opening,
        bytes calldata payload,
        bytes calldata signature,
        uint64 totalMicros,
        bytes calldata driverSignature
    ) private {
        // Check: an open session, and a record of it that its meter has signed.
        (bytes32 sessionId, uint256 key, Purse purse) = _running(terms, opening);
        (uint64 energyWh, uint64 page) = _proveByRecord(terms, opening, payload, signature);
        uint64 held = purse.deposit();
        uint64 charge = Billing.charge(energyWh, terms.priceMicrosPerKwh, terms.flatMicros, held);

        // Check: a total that covers the record.
        if (totalMicros != 0) {
            bytes32 total = keccak256(abi.encode(TOTAL_TYPEHASH, sessionId, totalMicros));
            _checkDriver(terms.driver, total, driverSignature);
            require(totalMicros >= charge, ChargeVault_TotalTooSmall(totalMicros, charge));
            charge = totalMicros < held ? totalMicros : held;
        }

        // Effect: the charge is earned, and the page is seen.
        bool elsewhere = _earnByRecord(terms.meterId, terms.operator, charge, page);

        // Effect, interaction, log.
        _close(terms, opening.fromWallet, sessionId, key, purse, energyWh, charge, page);
        if (elsewhere) {
            emit EarningsCollected(terms.meterId, terms.operator, charge);
        }
    }

    /// @dev Ends a session by a gateway's reading.
    function _closeByReading(
        Terms calldata terms,
        Opening calldata opening,
        bytes32 sessionId,
        uint256 key,
        Purse purse,
        Reading calldata reading,
        bytes calldata signature
    ) private {
        // Check: a reading of it that its meter's gateway has signed.
        uint64 energyWh = _proveByReading(terms.meterId, sessionId, opening.openedAt, reading, signature);
        uint64 charge = Billing.charge(energyWh, terms.priceMicrosPerKwh, terms.flatMicros, purse.deposit());

        // Effect: the charge is earned.
        _earned[terms.operator] += charge;

        // Effect, interaction, log.
        _close(terms, opening.fromWallet, sessionId, key, purse, energyWh, charge, 0);
    }

    /// @dev Ends a session: charge and refund are the deposit, exactly.
    function _close(
        Terms calldata terms,
        bool fromWallet,
        bytes32 sessionId,
        uint256 key,
        Purse purse,
        uint64 energyWh,
        uint64 charge,
        uint64 page
    ) private {
        // Effect, interaction: the refund leaves in this transaction.
        uint64 refund = purse.deposit() - charge;
        address driver = terms.driver;
        bool pushed = _end(driver, key, purse, refund, fromWallet);

        // Log.
        emit SessionClosed(sessionId, driver, terms.operator, energyWh, charge, refund, page, pushed);
    }

    /// @dev Returns an open session before its deadline, and its purse.
    function _running(Terms calldata terms, Opening calldata opening)
        private
        view
        returns (bytes32 sessionId, uint256 key, Purse purse)
    {
        bool found;
        (sessionId, key, purse, found) = _find(terms, opening);
        require(found, ChargeVault_NotOpen(sessionId));
        _checkInTime(terms.deadline);
    }

    /// @dev Checks that a deadline is in the future.
    function _checkInTime(uint64 deadline) private view {
        require(block.timestamp < deadline, ChargeVault_DeadlinePassed(deadline, block.timestamp));
    }

    /// @dev Returns the session of these terms and this opening, its purse, and whether it is open.
    function _find(Terms calldata terms, Opening calldata opening)
        private
        view
        returns (bytes32 sessionId, uint256 key, Purse purse, bool found)
    {
        sessionId = hashTerms(terms);
        key = _key(terms.driver, terms.purse);
        purse = _purses[key];
        found = purse.isSealedBy(_seal(sessionId, opening.openedAt, opening.pageAtOpen, opening.fromWallet));
    }

    /// @dev Checks that free money is there.
    function _checkFree(address driver, Purse purse, uint64 micros) private pure {
        require(micros <= purse.free(), ChargeVault_Insufficient(driver, purse.free(), micros));
    }

    /// @dev Checks that the driver has signed a struct.
    function _checkDriver(address driver, bytes32 structHash, bytes calldata signature) private view {
        (address found,,) = ECDSA.tryRecoverCalldata(_hashTypedDataV4(structHash), signature);
        require(found != address(0) && found == driver, ChargeVault_NotTheDriver(found, driver));
    }

    /// @dev Returns the hash that a purse keeps of its running session.
    function _seal(bytes32 sessionId, uint64 openedAt, uint64 pageAtOpen, bool fromWallet)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(sessionId, openedAt, pageAtOpen, fromWallet));
    }
}
