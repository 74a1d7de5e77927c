// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IERC3009Token} from "./interfaces/IERC3009Token.sol";
import {ITradeLedger} from "./interfaces/ITradeLedger.sol";

/// @title TradeLedger
/// @notice See {ITradeLedger}. Immutable; the settler can move at most what members' own caps allow,
/// and only to a sum of zero. Exits need nobody's leave.
contract TradeLedger is ITradeLedger, AccessControl, ReentrancyGuardTransient {
    using SafeERC20 for IERC3009Token;

    /// @notice Who may settle intervals and anchor checkpoints.
    bytes32 public constant SETTLER_ROLE = keccak256("SETTLER_ROLE");
    /// @notice Type of a membership (EIP-712 `hashStruct`); its hash is the ERC-3009 nonce.
    bytes32 public constant MEMBERSHIP_TYPEHASH =
        keccak256("Membership(address member,uint64 capMicros,uint64 amountMicros,bytes32 salt)");

    uint8 private constant INITIAL = 0;
    uint8 private constant CORRECTION = 1;
    uint64 private constant EXIT_INTERVALS = 2;

    /// @dev One slot for each account.
    struct Account {
        uint64 balance;
        uint64 cap;
        bool joined;
        bool institution;
    }

    /// @dev What a member has asked for.
    struct Exit {
        uint64 amount;
        uint64 readyAt;
    }

    /// @notice Token of all balances.
    IERC3009Token public immutable TOKEN;
    /// @notice Interval length, in seconds.
    uint64 public immutable INTERVAL_LENGTH;

    /// @notice Number of the last run.
    uint64 public lastRun;
    /// @notice Size of the log at the last anchored checkpoint.
    uint64 public logSize;
    /// @notice Root of the log at the last anchored checkpoint.
    bytes32 public logRoot;

    mapping(address account => Account state) private _accounts;
    mapping(address account => Exit request) private _exits;
    mapping(uint64 run => bytes32 root) private _roots;
    mapping(uint64 run => uint64 interval) private _intervalOf;
    mapping(uint64 interval => uint64 run) private _runOf;

    /// @param token Vetted token of 6 decimals with ERC-3009.
    /// @param intervalLength Interval length, in seconds.
    /// @param admin Administrator and first settler.
    constructor(IERC3009Token token, uint64 intervalLength, address admin) {
        TOKEN = token;
        INTERVAL_LENGTH = intervalLength;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(SETTLER_ROLE, admin);
    }

    /// @inheritdoc ITradeLedger
    function balanceOf(address account) external view returns (uint64) {
        return _accounts[account].balance;
    }

    /// @inheritdoc ITradeLedger
    function capOf(address account) external view returns (uint64) {
        return _accounts[account].cap;
    }

    /// @inheritdoc ITradeLedger
    function exitOf(address account) external view returns (uint64) {
        return _exits[account].amount;
    }

    /// @inheritdoc ITradeLedger
    function rootOf(uint64 run) external view returns (bytes32) {
        return _roots[run];
    }

    /// @inheritdoc ITradeLedger
    function runOf(uint64 interval) external view returns (uint64) {
        return _runOf[interval];
    }

    /// @inheritdoc ITradeLedger
    function verifyLeaf(uint64 run, bytes32 leaf, bytes32[] calldata proof) external view returns (bool) {
        return MerkleProof.verifyCalldata(proof, _roots[run], leaf);
    }

    /// @inheritdoc ITradeLedger
    function join(
        address member,
        uint64 capMicros,
        uint64 amountMicros,
        bytes32 salt,
        uint256 validAfter,
        uint256 validBefore,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant {
        // Check: nobody joins twice.
        require(!_accounts[member].joined, TradeLedger_AlreadyJoined(member));

        // Effect: the member, its money and its own cap.
        _accounts[member] = Account({balance: amountMicros, cap: capMicros, joined: true, institution: false});

        // Interaction: the signature over the membership brings the money.
        bytes32 nonce = _membership(member, capMicros, amountMicros, salt);
        TOKEN.receiveWithAuthorization(member, address(this), amountMicros, validAfter, validBefore, nonce, v, r, s);

        // Log.
        emit Joined(member, capMicros, amountMicros);
    }

    /// @inheritdoc ITradeLedger
    function joinInstitution(address institution) external onlyRole(DEFAULT_ADMIN_ROLE) {
        // Check: nobody joins twice.
        require(!_accounts[institution].joined, TradeLedger_AlreadyJoined(institution));
        // Effect, log.
        _accounts[institution] = Account({balance: 0, cap: 0, joined: true, institution: true});
        emit InstitutionJoined(institution);
    }

    /// @inheritdoc ITradeLedger
    function deposit(
        address member,
        uint64 amountMicros,
        bytes32 salt,
        uint256 validAfter,
        uint256 validBefore,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant {
        // Check: a member.
        Account storage account = _member(member);

        // Effect: the money.
        account.balance += amountMicros;

        // Interaction: the signature over the membership as it stands brings it.
        bytes32 nonce = _membership(member, account.cap, amountMicros, salt);
        TOKEN.receiveWithAuthorization(member, address(this), amountMicros, validAfter, validBefore, nonce, v, r, s);

        // Log.
        emit Deposited(member, amountMicros);
    }

    /// @inheritdoc ITradeLedger
    function setCap(uint64 capMicros) external {
        _member(msg.sender).cap = capMicros;
        emit CapSet(msg.sender, capMicros);
    }

    /// @inheritdoc ITradeLedger
    function requestExit(uint64 amountMicros) external {
        // Check: something that is there, and no other request.
        uint64 balance = _member(msg.sender).balance;
        require(
            amountMicros != 0 && amountMicros <= balance && _exits[msg.sender].amount == 0,
            TradeLedger_BadExit(msg.sender, amountMicros)
        );
        // Effect, log.
        uint64 readyAt = uint64(block.timestamp) + EXIT_INTERVALS * INTERVAL_LENGTH;
        _exits[msg.sender] = Exit(amountMicros, readyAt);
        emit ExitRequested(msg.sender, amountMicros, readyAt);
    }

    /// @inheritdoc ITradeLedger
    function exit() external nonReentrant {
        // Check: a request whose time has come.
        Exit memory request = _exits[msg.sender];
        require(
            request.amount != 0 && block.timestamp >= request.readyAt,
            TradeLedger_ExitNotReady(msg.sender, request.readyAt)
        );

        // Effect: intervals settled since may have left less.
        Account storage account = _accounts[msg.sender];
        uint64 amount = request.amount < account.balance ? request.amount : account.balance;
        account.balance -= amount;
        delete _exits[msg.sender];

        // Interaction, log.
        TOKEN.safeTransfer(msg.sender, amount);
        emit Exited(msg.sender, amount);
    }

    /// @inheritdoc ITradeLedger
    function settle(
        uint64 run,
        uint64 interval,
        uint8 kind,
        uint64 amends,
        bytes32 root,
        Delta[] calldata deltas
    ) external onlyRole(SETTLER_ROLE) {
        // Check: the next run, of an interval that is over, for the first time or amending a run.
        require(run == lastRun + 1, TradeLedger_RunNotNext(run, lastRun));
        require((uint256(interval) + 1) * INTERVAL_LENGTH <= block.timestamp, TradeLedger_IntervalNotOver(interval));
        _checkKind(interval, kind, amends);

        // Effect: balances, run and root.
        _apply(deltas);
        lastRun = run;
        _roots[run] = root;
        _intervalOf[run] = interval;
        if (kind == INITIAL) {
            _runOf[interval] = run;
        }

        // Log.
        emit IntervalSettled(run, interval, kind, root, keccak256(abi.encode(deltas)));
    }

    /// @inheritdoc ITradeLedger
    function anchorCheckpoint(uint64 size, bytes32 root, bytes calldata) external onlyRole(SETTLER_ROLE) {
        // Check: a log only grows.
        require(size > logSize, TradeLedger_LogDidNotGrow(size, logSize));
        // Effect, log. The cosignature stays in the transaction's data.
        (logSize, logRoot) = (size, root);
        emit CheckpointAnchored(size, root);
    }

    /// @dev Checks that a first settlement is the first, and that a correction amends something.
    function _checkKind(uint64 interval, uint8 kind, uint64 amends) private view {
        if (kind == INITIAL) {
            uint64 known = _runOf[interval];
            require(known == 0, TradeLedger_AlreadySettled(interval, known));
            return;
        }
        require(kind == CORRECTION, TradeLedger_UnknownKind(kind));
        require(
            amends != 0 && amends <= lastRun && _intervalOf[amends] == interval,
            TradeLedger_AmendsNothing(interval, amends)
        );
    }

    /// @dev Applies deltas: strictly ascending accounts, within caps and funds, a sum of zero.
    function _apply(Delta[] calldata deltas) private {
        int256 sum;
        address previous;
        for (uint256 i = 0; i < deltas.length; ++i) {
            address account = deltas[i].account;
            require(account > previous, TradeLedger_Unsorted(account));
            previous = account;
            sum += deltas[i].micros;
            _move(account, deltas[i].micros);
        }
        require(sum == 0, TradeLedger_NotZeroSum(sum));
    }

    /// @dev Moves one account.
    function _move(address account, int64 micros) private {
        Account storage state = _member(account);
        if (micros >= 0) {
            state.balance += uint64(micros);
            return;
        }
        // An int64 below zero always has a magnitude that a uint64 holds.
        uint64 debit = uint64(uint256(-int256(micros)));
        require(state.institution || debit <= state.cap, TradeLedger_AboveCap(account, state.cap, debit));
        require(debit <= state.balance, TradeLedger_Underfunded(account, state.balance, debit));
        state.balance -= debit;
    }

    function _member(address account) private view returns (Account storage state) {
        state = _accounts[account];
        require(state.joined, TradeLedger_NotAMember(account));
    }

    function _membership(address member, uint64 capMicros, uint64 amountMicros, bytes32 salt)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(MEMBERSHIP_TYPEHASH, member, capMicros, amountMicros, salt));
    }
}
