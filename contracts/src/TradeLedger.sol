// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SignedMath} from "@openzeppelin/contracts/utils/math/SignedMath.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";
import {TradeLedgerState} from "./trade/TradeLedgerState.sol";
import {IERC3009Token} from "./interfaces/IERC3009Token.sol";
import {ITradeLedger} from "./interfaces/ITradeLedger.sol";
import {RunRing} from "./libraries/RunRing.sol";
import {Lane, LaneLibrary, Lanes, LanesLibrary} from "./types/Lane.sol";
import {SlotDelta, SlotDeltaLibrary} from "./types/SlotDelta.sol";

/// @title TradeLedger
/// @notice See {ITradeLedger}. Immutable; the settler can move at most what members' own caps allow,
/// and only to a sum of zero. Exits need nobody's leave. Money that was sent to the contract without
/// a call counts for nobody.
contract TradeLedger is TradeLedgerState, ReentrancyGuardTransient {
    using BitMaps for BitMaps.BitMap;
    using RunRing for RunRing.Ring;
    using SafeCast for uint256;
    using SafeERC20 for IERC3009Token;

    uint8 private constant INITIAL = 0;
    uint8 private constant CORRECTION = 1;
    uint256 private constant ACCOUNTS_MAX = 2 ** 24 * LanesLibrary.COUNT;

    /// @dev Lets entries through unless they are paused.
    modifier whenNotPaused() {
        require(!_state.paused, TradeLedger_EntriesPaused());
        _;
    }

    /// @param token Vetted token of 6 decimals with ERC-3009.
    /// @param intervalLength Interval length, in seconds; divides an hour, or is a day.
    /// @param minimumBond Least bond with which runs are taken; may be 0.
    /// @param admin Administrator, first settler and first guardian.
    constructor(IERC3009Token token, uint64 intervalLength, uint64 minimumBond, address admin)
        TradeLedgerState(token, intervalLength, minimumBond, admin)
    {}

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
    ) external nonReentrant whenNotPaused {
        // Check, effect: a lane with the money and the member's own cap.
        Lane lane = LaneLibrary.pack(0, _capCents(capMicros), false);
        uint32 id = _enter(member, _credited(member, lane, amountMicros));

        // Interaction: the signature over the membership brings the money.
        bytes32 nonce = _membership(member, capMicros, amountMicros, salt);
        uint256 before = TOKEN.balanceOf(address(this));
        TOKEN.receiveWithAuthorization(member, address(this), amountMicros, validAfter, validBefore, nonce, v, r, s);
        _checkReceived(before, amountMicros);

        // Log.
        emit Joined(member, id, capMicros, amountMicros);
    }

    /// @inheritdoc ITradeLedger
    function joinInstitution(address institution) external onlyRole(DEFAULT_ADMIN_ROLE) whenNotPaused {
        uint32 id = _enter(institution, LaneLibrary.pack(0, 0, true));
        emit InstitutionJoined(institution, id);
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
    ) external nonReentrant whenNotPaused {
        // Check: a member.
        uint256 id = _idOf(member);
        Lane lane = _laneAt(id);

        // Effect: the money.
        _setLane(id, _credited(member, lane, amountMicros));

        // Interaction: the signature over the membership as it stands brings it.
        bytes32 nonce = _membership(member, _capMicros(lane), amountMicros, salt);
        uint256 before = TOKEN.balanceOf(address(this));
        TOKEN.receiveWithAuthorization(member, address(this), amountMicros, validAfter, validBefore, nonce, v, r, s);
        _checkReceived(before, amountMicros);

        // Log.
        emit Deposited(member, amountMicros);
    }

    /// @inheritdoc ITradeLedger
    function setCap(uint64 capMicros) external {
        // Check: a member, and a cap.
        uint256 id = _idOf(msg.sender);
        Lane lane = _laneAt(id);
        uint256 cents = _capCents(capMicros);

        // Effect, log: a lower cap waits, since intervals before it may still be settled.
        if (cents < lane.capCents()) {
            uint64 askedAt = block.timestamp.toUint64();
            _lowerings[msg.sender] = Request(capMicros, askedAt);
            emit CapLoweringRequested(msg.sender, capMicros, _forcedAt(askedAt));
            return;
        }
        require(!_state.paused || cents == lane.capCents(), TradeLedger_EntriesPaused());
        delete _lowerings[msg.sender];
        _setLane(id, lane.withCapCents(cents));
        emit CapSet(msg.sender, capMicros);
    }

    /// @inheritdoc ITradeLedger
    function applyCap(address member) external {
        // Check: a lower cap whose time has come.
        Request memory request = _lowerings[member];
        require(request.askedAt != 0, TradeLedger_NoCapLowering(member));
        require(isReady(request.askedAt), TradeLedger_CapNotReady(member, _forcedAt(request.askedAt)));

        // Effect, log.
        delete _lowerings[member];
        uint256 id = _idOf(member);
        _setLane(id, _laneAt(id).withCapCents(_capCents(request.micros)));
        emit CapSet(member, request.micros);
    }

    /// @inheritdoc ITradeLedger
    function requestExit(uint64 amountMicros) external {
        // Check: something that is there, and no other request.
        uint64 balance = _laneAt(_idOf(msg.sender)).balance();
        require(
            amountMicros != 0 && amountMicros <= balance && _exits[msg.sender].askedAt == 0,
            TradeLedger_BadExit(msg.sender, amountMicros)
        );
        // Effect, log.
        uint64 askedAt = block.timestamp.toUint64();
        _exits[msg.sender] = Request(amountMicros, askedAt);
        emit ExitRequested(msg.sender, amountMicros, _forcedAt(askedAt));
    }

    /// @inheritdoc ITradeLedger
    function cancelExit() external {
        // Check: a request.
        uint64 micros = _exits[msg.sender].micros;
        require(micros != 0, TradeLedger_NoExit(msg.sender));
        // Effect, log.
        delete _exits[msg.sender];
        emit ExitCancelled(msg.sender, micros);
    }

    /// @inheritdoc ITradeLedger
    function exit() external nonReentrant {
        // Check: a request whose time has come.
        Request memory request = _exits[msg.sender];
        require(request.askedAt != 0, TradeLedger_NoExit(msg.sender));
        require(isReady(request.askedAt), TradeLedger_ExitNotReady(msg.sender, _forcedAt(request.askedAt)));

        // Effect: intervals settled since may have left less.
        uint256 id = _idOf(msg.sender);
        Lane lane = _laneAt(id);
        uint64 balance = lane.balance();
        uint64 amount = request.micros < balance ? request.micros : balance;
        _setLane(id, lane.withBalance(balance - amount));
        delete _exits[msg.sender];

        // Interaction, log.
        TOKEN.safeTransfer(msg.sender, amount);
        emit Exited(msg.sender, amount);
    }

    /// @inheritdoc ITradeLedger
    function settle(
        uint64 run,
        uint64 interval,
        uint64 settledThrough,
        uint8 kind,
        uint64 amends,
        bytes32 root,
        bytes calldata deltas
    ) external onlyRole(SETTLER_ROLE) {
        // Check: the next run, of an interval that is over, for the first time or amending a run.
        State storage state = _state;
        _checkOpen(state);
        require(run == state.lastRun + 1, TradeLedger_RunNotNext(run, state.lastRun));
        uint256 running = block.timestamp / INTERVAL_LENGTH;
        require(interval < running, TradeLedger_IntervalNotOver(interval));
        require(settledThrough < running, TradeLedger_IntervalNotOver(settledThrough));
        require(settledThrough >= state.settledThrough, TradeLedger_WatermarkFell(settledThrough, state.settledThrough));
        _checkKind(interval, kind, amends, state.lastRun);

        // Effect: run and root.
        _state.lastRun = uint256(run).toUint48();
        _state.settledThrough = uint256(settledThrough).toUint48();
        _ring.put(RUNS_KEPT, run, interval, root);
        if (kind == INITIAL) {
            _settled.set(interval);
        }

        // Log.
        emit IntervalSettled(run, interval, kind, root, keccak256(deltas));

        // Check, effect: balances, last, since nothing else is needed any more.
        _apply(deltas, state.accounts);
    }

    /// @inheritdoc ITradeLedger
    function anchorCheckpoint(uint64 size, bytes32 root, uint64, bytes32[2] calldata) external {
        // Check: a settler; a log only grows.
        Log storage log = _log;
        if (msg.sender != log.settler) {
            _checkRole(SETTLER_ROLE);
            log.settler = msg.sender;
        }
        require(size > log.size, TradeLedger_LogDidNotGrow(size, log.size));
        // Effect, log.
        (log.size, log.blockNumber) = (uint256(size).toUint48(), block.number.toUint48());
        emit CheckpointAnchored(size, root);
    }

    /// @inheritdoc ITradeLedger
    function postBond(uint64 amountMicros) external nonReentrant onlyRole(SETTLER_ROLE) {
        // Check: something, and nobody else's bond.
        require(amountMicros != 0, TradeLedger_EmptyBond());
        address owner = _bondOwner;
        require(owner == address(0) || owner == msg.sender, TradeLedger_NotYourBond(msg.sender, owner));

        // Effect, interaction, log.
        _bondOwner = msg.sender;
        _state.bond = (uint256(_state.bond) + amountMicros).toUint48();
        uint256 before = TOKEN.balanceOf(address(this));
        TOKEN.safeTransferFrom(msg.sender, address(this), amountMicros);
        _checkReceived(before, amountMicros);
        emit BondPosted(msg.sender, amountMicros);
    }

    /// @inheritdoc ITradeLedger
    function requestBondRelease() external {
        _checkBondOwner();
        // The last run is provable for as long as an exit waits at most.
        uint256 readyAt = block.timestamp + EXIT_WAIT;
        _state.bondReadyAt = readyAt.toUint48();
        emit BondReleaseRequested(msg.sender, readyAt.toUint64());
    }

    /// @inheritdoc ITradeLedger
    function cancelBondRelease() external {
        _checkBondOwner();
        _state.bondReadyAt = 0;
        emit BondReleaseCancelled(msg.sender);
    }

    /// @inheritdoc ITradeLedger
    function releaseBond() external nonReentrant {
        // Check: its owner, who asked for it long enough ago.
        _checkBondOwner();
        State memory state = _state;
        require(
            state.bondReadyAt != 0 && block.timestamp >= state.bondReadyAt, TradeLedger_BondNotReady(state.bondReadyAt)
        );

        // Effect, interaction, log.
        (_state.bond, _state.bondReadyAt, _bondOwner) = (0, 0, address(0));
        TOKEN.safeTransfer(msg.sender, state.bond);
        emit BondReleased(msg.sender, state.bond);
    }

    /// @inheritdoc ITradeLedger
    function pauseEntries(bool paused) external onlyRole(GUARDIAN_ROLE) {
        _state.paused = paused;
        emit EntriesPaused(paused);
    }

    /// @dev Gives an account, which must not have joined, the next lane.
    function _enter(address account, Lane lane) private returns (uint32 id) {
        // Check: nobody joins twice; runs can name the lane.
        require(_numberOf[account] == 0, TradeLedger_AlreadyJoined(account));
        id = _state.accounts;
        require(id < ACCOUNTS_MAX, TradeLedger_Full());

        // Effect.
        _state.accounts = id + 1;
        _numberOf[account] = uint256(id) + 1;
        _accountOf[id] = account;
        _setLane(id, lane);
    }

    /// @dev Checks that runs are taken now: not paused, and under a bond that stays.
    function _checkOpen(State storage state) private view {
        require(!state.paused, TradeLedger_EntriesPaused());
        require(state.bond >= MINIMUM_BOND, TradeLedger_BondTooLow(state.bond, MINIMUM_BOND));
        require(state.bondReadyAt == 0, TradeLedger_BondLeaving(state.bondReadyAt));
    }

    /// @dev Checks that a first settlement is the first, and that a correction amends something.
    function _checkKind(uint64 interval, uint8 kind, uint64 amends, uint256 last) private view {
        if (kind == INITIAL) {
            require(!_settled.get(interval), TradeLedger_AlreadySettled(interval));
            return;
        }
        require(kind == CORRECTION, TradeLedger_UnknownKind(kind));
        require(
            RunRing.holds(RUNS_KEPT, amends, last) && _ring.intervalOf(RUNS_KEPT, amends) == interval,
            TradeLedger_AmendsNothing(interval, amends)
        );
    }

    /// @dev Checks that the token did what it was told.
    function _checkReceived(uint256 before, uint64 amountMicros) private view {
        uint256 received = TOKEN.balanceOf(address(this)) - before;
        require(received == amountMicros, TradeLedger_TokenShort(received, amountMicros));
    }

    function _checkBondOwner() private view {
        require(msg.sender == _bondOwner, TradeLedger_NotYourBond(msg.sender, _bondOwner));
    }

    /// @dev Applies packed deltas: strictly ascending slots, within caps and funds, a sum of zero.
    /// Nothing here leaves 256 bits: numbers of slots have 24, deltas 40 and balances 44.
    function _apply(bytes calldata deltas, uint256 joined) private {
        require(deltas.length % SlotDeltaLibrary.LENGTH == 0, TradeLedger_BadLength(deltas.length));
        int256 sum;
        uint256 next;
        unchecked {
            for (uint256 offset = 0; offset < deltas.length; offset += SlotDeltaLibrary.LENGTH) {
                SlotDelta entry = SlotDeltaLibrary.read(deltas, offset);
                uint256 slot = entry.slot();
                if (slot < next) revert TradeLedger_Unsorted(slot);
                if (entry.isEmpty()) revert TradeLedger_EmptyEntry(slot);
                next = slot + 1;
                if (next * LanesLibrary.COUNT > joined) _checkHeld(entry, joined);
                Slot storage place = _slots[slot];
                (Lanes lanes, int256 moved) = _moved(place.lanes, entry);
                place.lanes = lanes;
                sum += moved;
            }
        }
        require(sum == 0, TradeLedger_NotZeroSum(sum));
    }

    /// @dev Returns a slot after an entry, and what the entry sums to.
    function _moved(Lanes lanes, SlotDelta entry) private view returns (Lanes, int256 sum) {
        unchecked {
            for (uint256 index = 0; index < LanesLibrary.COUNT; ++index) {
                int256 micros = entry.micros(index);
                Lane lane = lanes.lane(index);
                // A balance below zero is taken for a very high one; a credit is below every cap.
                uint256 balance = uint256(int256(uint256(lane.balance())) + micros);
                if (balance > LaneLibrary.BALANCE_MAX) _refuse(entry, index, lane, micros);
                if (-micros > int256(lane.capCents() * CENT)) _refuse(entry, index, lane, micros);
                lanes = lanes.moved(index, micros);
                sum += micros;
            }
        }
        return (lanes, sum);
    }

    /// @dev Names what a lane does not allow; an institution is allowed to go beyond a cap.
    function _refuse(SlotDelta entry, uint256 index, Lane lane, int256 micros) private view {
        address account = _accountOf[entry.slot() * LanesLibrary.COUNT + index];
        uint64 balance = lane.balance();
        // A delta has 40 bits.
        uint64 amount = uint64(SignedMath.abs(micros));
        require(micros < 0, TradeLedger_BalanceOverflow(account, balance, amount));
        require(
            lane.isInstitution() || amount <= _capMicros(lane), TradeLedger_AboveCap(account, _capMicros(lane), amount)
        );
        require(amount <= balance, TradeLedger_Underfunded(account, balance, amount));
    }

    /// @dev Checks that whatever moves in the last slot is held by somebody.
    function _checkHeld(SlotDelta entry, uint256 joined) private pure {
        for (uint256 index = 0; index < LanesLibrary.COUNT; ++index) {
            uint256 id = entry.slot() * LanesLibrary.COUNT + index;
            require(id < joined || entry.micros(index) == 0, TradeLedger_NobodysLane(id));
        }
    }

    function _membership(address member, uint64 capMicros, uint64 amountMicros, bytes32 salt)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(MEMBERSHIP_TYPEHASH, member, capMicros, amountMicros, salt));
    }
}
