// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";
import {IERC3009Token} from "../interfaces/IERC3009Token.sol";
import {ITradeLedger} from "../interfaces/ITradeLedger.sol";
import {RunRing} from "../libraries/RunRing.sol";
import {Lane, LaneLibrary, Lanes, LanesLibrary} from "../types/Lane.sol";

/// @title TradeLedgerState
/// @notice What the TradeLedger stores, and how it is read. See {ITradeLedger}.
abstract contract TradeLedgerState is ITradeLedger, AccessControl {
    using BitMaps for BitMaps.BitMap;
    using RunRing for RunRing.Ring;
    using SafeCast for uint256;

    /// @notice Who may settle intervals, anchor checkpoints and post the bond.
    bytes32 public constant SETTLER_ROLE = keccak256("SETTLER_ROLE");
    /// @notice Who may pause entries.
    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");
    /// @notice Type of a membership (EIP-712 `hashStruct`); its hash is the ERC-3009 nonce.
    bytes32 public constant MEMBERSHIP_TYPEHASH =
        keccak256("Membership(address member,uint64 capMicros,uint64 amountMicros,bytes32 salt)");
    /// @notice How long runs stay provable, and the longest that an exit waits for the settler.
    uint64 public constant EXIT_WAIT = 1 weeks;
    /// @notice The shortest that an exit waits, in intervals.
    uint64 public constant EXIT_INTERVALS = 2;
    /// @notice Micros of a cent, the unit of caps.
    uint64 public constant CENT = 10_000;

    /// @dev Runs of an interval that stay provable: the first one and a correction.
    uint64 private constant RUNS_PER_INTERVAL = 2;

    /// @dev What nearly every call needs, in one slot.
    struct State {
        uint48 lastRun;
        uint48 settledThrough;
        uint48 bondReadyAt;
        uint48 bond;
        uint32 accounts;
        bool paused;
    }

    /// @dev The last checkpoint, beside the settler who anchored it: a settler who anchors again
    /// reads one slot instead of two. Losing the role clears it.
    struct Log {
        address settler;
        uint48 size;
        uint48 blockNumber;
    }

    /// @dev Money, or a lower cap, that a member has asked for.
    struct Request {
        uint64 micros;
        uint64 askedAt;
    }

    /// @dev Four accounts' lanes.
    struct Slot {
        Lanes lanes;
    }

    /// @notice Token of all balances.
    IERC3009Token public immutable TOKEN;
    /// @notice Length of an interval, in seconds: of what is settled at once, be it one interval of
    /// trading, an hour or a day.
    uint64 public immutable INTERVAL_LENGTH;
    /// @notice How many runs stay provable.
    uint64 public immutable RUNS_KEPT;
    /// @notice Least bond with which runs are taken.
    uint64 public immutable MINIMUM_BOND;

    State internal _state;
    Log internal _log;
    RunRing.Ring internal _ring;
    BitMaps.BitMap internal _settled;
    address internal _bondOwner;

    mapping(uint256 number => Slot slot) internal _slots;
    mapping(uint256 id => address account) internal _accountOf;
    /// @dev One more than the account's number; 0 for whoever has not joined.
    mapping(address account => uint256 number) internal _numberOf;
    mapping(address account => Request request) internal _exits;
    mapping(address account => Request request) internal _lowerings;

    constructor(IERC3009Token token, uint64 intervalLength, uint64 minimumBond, address admin) {
        // Check: the week is a whole number of intervals.
        bool dividesAnHour = intervalLength != 0 && 1 hours % intervalLength == 0;
        require(dividesAnHour || intervalLength == 1 days, TradeLedger_BadIntervalLength(intervalLength));

        TOKEN = token;
        INTERVAL_LENGTH = intervalLength;
        // A day is corrected more than once, so its runs have as many places as an hour's.
        RUNS_KEPT = RUNS_PER_INTERVAL * EXIT_WAIT / (dividesAnHour ? intervalLength : 1 hours);
        MINIMUM_BOND = minimumBond;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(SETTLER_ROLE, admin);
        _grantRole(GUARDIAN_ROLE, admin);
    }

    /// @inheritdoc ITradeLedger
    function verifyLeaf(uint64 run, bytes32 leaf, bytes32[] calldata proof) external view returns (bool) {
        return MerkleProof.verifyCalldata(proof, rootOf(run), leaf);
    }

    /// @inheritdoc ITradeLedger
    function balanceOf(address account) external view returns (uint64) {
        return _laneOf(account).balance();
    }

    /// @inheritdoc ITradeLedger
    function capOf(address account) external view returns (uint64) {
        return _capMicros(_laneOf(account));
    }

    /// @inheritdoc ITradeLedger
    function idOf(address account) external view returns (uint32) {
        return _idOf(account).toUint32();
    }

    /// @inheritdoc ITradeLedger
    function accountOf(uint32 id) external view returns (address) {
        return _accountOf[id];
    }

    /// @inheritdoc ITradeLedger
    function accounts() external view returns (uint32) {
        return _state.accounts;
    }

    /// @inheritdoc ITradeLedger
    function exitOf(address account) external view returns (uint64) {
        return _exits[account].micros;
    }

    /// @inheritdoc ITradeLedger
    function exitRequestedAt(address account) external view returns (uint64) {
        return _exits[account].askedAt;
    }

    /// @inheritdoc ITradeLedger
    function loweringOf(address account) external view returns (uint64 capMicros, uint64 requestedAt) {
        Request memory request = _lowerings[account];
        return (request.micros, request.askedAt);
    }

    /// @inheritdoc ITradeLedger
    function isSettled(uint64 interval) external view returns (bool) {
        return _settled.get(interval);
    }

    /// @inheritdoc ITradeLedger
    function lastRun() external view returns (uint64) {
        return _state.lastRun;
    }

    /// @inheritdoc ITradeLedger
    function settledThrough() external view returns (uint64) {
        return _state.settledThrough;
    }

    /// @inheritdoc ITradeLedger
    function logSize() external view returns (uint64) {
        return _log.size;
    }

    /// @inheritdoc ITradeLedger
    function logBlock() external view returns (uint64) {
        return _log.blockNumber;
    }

    /// @inheritdoc ITradeLedger
    function bondOf(address owner) external view returns (uint64) {
        return owner == _bondOwner ? _state.bond : 0;
    }

    /// @inheritdoc ITradeLedger
    function entriesPaused() external view returns (bool) {
        return _state.paused;
    }

    /// @inheritdoc ITradeLedger
    function isReady(uint64 requestedAt) public view returns (bool) {
        if (block.timestamp >= _forcedAt(requestedAt)) {
            return true;
        }
        return block.timestamp >= requestedAt + EXIT_INTERVALS * INTERVAL_LENGTH
            && _state.settledThrough >= requestedAt / INTERVAL_LENGTH;
    }

    /// @inheritdoc ITradeLedger
    function rootOf(uint64 run) public view returns (bytes32) {
        uint64 last = _state.lastRun;
        require(run != 0 && run <= last, TradeLedger_RunNotSettled(run, last));
        // The oldest is run 1 until the ring is full.
        uint64 oldest = last > RUNS_KEPT ? last - RUNS_KEPT + 1 : 1;
        require(run >= oldest, TradeLedger_RunForgotten(run, oldest));
        return _ring.rootOf(RUNS_KEPT, run);
    }

    /// @dev Returns the instant at which a request is ready whatever the settler does.
    function _forcedAt(uint64 requestedAt) internal pure returns (uint64) {
        return requestedAt + EXIT_WAIT;
    }

    /// @dev Returns the number of an account, which must have joined.
    function _idOf(address account) internal view returns (uint256) {
        uint256 number = _numberOf[account];
        require(number != 0, TradeLedger_NotAMember(account));
        return number - 1;
    }

    /// @dev Returns an account's lane; an empty one for whoever has not joined.
    function _laneOf(address account) internal view returns (Lane) {
        uint256 number = _numberOf[account];
        return number == 0 ? Lane.wrap(0) : _laneAt(number - 1);
    }

    /// @dev Returns the lane of a number.
    function _laneAt(uint256 id) internal view returns (Lane) {
        return _slots[id / LanesLibrary.COUNT].lanes.lane(id % LanesLibrary.COUNT);
    }

    /// @dev Replaces the lane of a number.
    function _setLane(uint256 id, Lane lane) internal {
        Slot storage slot = _slots[id / LanesLibrary.COUNT];
        slot.lanes = slot.lanes.withLane(id % LanesLibrary.COUNT, lane);
    }

    /// @dev Returns a balance with something added to it.
    function _credited(address account, Lane lane, uint64 micros) internal pure returns (Lane) {
        uint64 balance = lane.balance();
        require(
            uint256(balance) + micros <= LaneLibrary.BALANCE_MAX, TradeLedger_BalanceOverflow(account, balance, micros)
        );
        return lane.withBalance(uint256(balance) + micros);
    }

    /// @dev Returns a lane's cap, in micros.
    function _capMicros(Lane lane) internal pure returns (uint64) {
        // At most 2^19 cents, so far below 2^64 micros.
        return uint64(lane.capCents()) * CENT;
    }

    /// @dev Returns a cap in cents.
    function _capCents(uint64 capMicros) internal pure returns (uint256) {
        require(capMicros % CENT == 0, TradeLedger_CapNotWholeCents(capMicros));
        uint64 highest = uint64(LaneLibrary.CAP_MAX_CENTS) * CENT;
        require(capMicros <= highest, TradeLedger_CapTooHigh(capMicros, highest));
        return capMicros / CENT;
    }

    /// @dev Whoever loses the role must not go on anchoring as the settler of the last checkpoint.
    function _revokeRole(bytes32 role, address account) internal override returns (bool) {
        if (role == SETTLER_ROLE && account == _log.settler) {
            _log.settler = address(0);
        }
        return super._revokeRole(role, account);
    }
}
