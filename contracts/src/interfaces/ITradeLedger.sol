// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ITradeLedger
/// @notice Holds the money of a community's members and settles their intervals: consecutive runs
/// of deltas that sum to zero, within each member's own cap and funds, under a root that commits to
/// every account. All amounts are micros of the token, caps are whole cents (10,000 micros), all
/// instants are Unix seconds, and interval `n` is `[n, n + 1)` times the interval length. An interval
/// is what is settled at once: one of those that the community trades in, or an hour or a day of them.
interface ITradeLedger {
    /// @notice Emitted when a member joins; `id` is its place in the runs' deltas.
    event Joined(address indexed member, uint32 id, uint64 capMicros, uint64 amountMicros);
    /// @notice Emitted when a grid operator or a state joins; `id` is its place in the runs' deltas.
    event InstitutionJoined(address indexed institution, uint32 id);
    /// @notice Emitted when a member adds money.
    event Deposited(address indexed member, uint64 amountMicros);
    /// @notice Emitted when a member's cap changes; a lower one that waited is gone.
    event CapSet(address indexed member, uint64 capMicros);
    /// @notice Emitted when a member asks for a lower cap.
    event CapLoweringRequested(address indexed member, uint64 capMicros, uint64 forcedAt);
    /// @notice Emitted when a member asks for money back.
    event ExitRequested(address indexed member, uint64 amountMicros, uint64 forcedAt);
    /// @notice Emitted when a member asks for it no longer.
    event ExitCancelled(address indexed member, uint64 amountMicros);
    /// @notice Emitted when it is paid.
    event Exited(address indexed member, uint64 amountMicros);
    /// @notice Emitted when an interval is settled; `deltasHash` is the hash of the packed deltas.
    event IntervalSettled(uint64 indexed run, uint64 indexed interval, uint8 kind, bytes32 root, bytes32 deltasHash);
    /// @notice Emitted when a checkpoint of the service's log is anchored.
    event CheckpointAnchored(uint64 size, bytes32 root);
    /// @notice Emitted when a settler adds to the bond.
    event BondPosted(address indexed owner, uint64 amountMicros);
    /// @notice Emitted when its owner asks for the bond back; no run is taken from then on.
    event BondReleaseRequested(address indexed owner, uint64 readyAt);
    /// @notice Emitted when its owner leaves the bond where it is after all.
    event BondReleaseCancelled(address indexed owner);
    /// @notice Emitted when the bond is paid back.
    event BondReleased(address indexed owner, uint64 amountMicros);
    /// @notice Emitted when entries are paused, or go on.
    event EntriesPaused(bool paused);

    /// @notice Thrown when the interval length does not divide an hour and is not a day.
    error TradeLedger_BadIntervalLength(uint64 intervalLength);
    /// @notice Thrown when a guardian has paused entries.
    error TradeLedger_EntriesPaused();
    /// @notice Thrown when somebody joins twice.
    error TradeLedger_AlreadyJoined(address account);
    /// @notice Thrown when there is no lane left.
    error TradeLedger_Full();
    /// @notice Thrown when an account is no member.
    error TradeLedger_NotAMember(address account);
    /// @notice Thrown when the token delivered another amount than it was told to.
    error TradeLedger_TokenShort(uint256 received, uint256 wanted);
    /// @notice Thrown when a cap is not a number of whole cents.
    error TradeLedger_CapNotWholeCents(uint64 capMicros);
    /// @notice Thrown when a cap is higher than a lane can say.
    error TradeLedger_CapTooHigh(uint64 capMicros, uint64 highest);
    /// @notice Thrown when an account would hold more than a lane can say.
    error TradeLedger_BalanceOverflow(address account, uint64 balance, uint64 credit);
    /// @notice Thrown when the run is not the one after the last.
    error TradeLedger_RunNotNext(uint64 run, uint64 last);
    /// @notice Thrown when the kind is neither initial nor correction.
    error TradeLedger_UnknownKind(uint8 kind);
    /// @notice Thrown when an interval is settled a second time as if it were the first.
    error TradeLedger_AlreadySettled(uint64 interval);
    /// @notice Thrown when a correction does not name a run of its interval that is still provable.
    error TradeLedger_AmendsNothing(uint64 interval, uint64 amends);
    /// @notice Thrown when an interval is not over.
    error TradeLedger_IntervalNotOver(uint64 interval);
    /// @notice Thrown when less would be settled than was said before.
    error TradeLedger_WatermarkFell(uint64 settledThrough, uint64 last);
    /// @notice Thrown when deltas are not a whole number of entries.
    error TradeLedger_BadLength(uint256 length);
    /// @notice Thrown when slots are not strictly ascending.
    error TradeLedger_Unsorted(uint256 slot);
    /// @notice Thrown when an entry moves nothing.
    error TradeLedger_EmptyEntry(uint256 slot);
    /// @notice Thrown when an entry moves money in a lane that nobody holds.
    error TradeLedger_NobodysLane(uint256 id);
    /// @notice Thrown when deltas do not sum to zero.
    error TradeLedger_NotZeroSum(int256 sum);
    /// @notice Thrown when an account would be debited more than it holds.
    error TradeLedger_Underfunded(address account, uint64 balance, uint64 debit);
    /// @notice Thrown when a member would be debited more than its own cap.
    error TradeLedger_AboveCap(address account, uint64 cap, uint64 debit);
    /// @notice Thrown when a run was never settled.
    error TradeLedger_RunNotSettled(uint64 run, uint64 last);
    /// @notice Thrown when a run is no longer provable.
    error TradeLedger_RunForgotten(uint64 run, uint64 oldest);
    /// @notice Thrown when an exit is asked for while another one waits, or of nothing, or of more
    /// than is there.
    error TradeLedger_BadExit(address member, uint64 amountMicros);
    /// @notice Thrown when a member has not asked for money back.
    error TradeLedger_NoExit(address member);
    /// @notice Thrown when an exit is not ready; it is at `forcedAt`, whatever the settler does.
    error TradeLedger_ExitNotReady(address member, uint64 forcedAt);
    /// @notice Thrown when a member has not asked for a lower cap.
    error TradeLedger_NoCapLowering(address member);
    /// @notice Thrown when a lower cap is not ready; it is at `forcedAt`, whatever the settler does.
    error TradeLedger_CapNotReady(address member, uint64 forcedAt);
    /// @notice Thrown when a checkpoint is not of a longer log than the last one.
    error TradeLedger_LogDidNotGrow(uint64 size, uint64 last);
    /// @notice Thrown when the bond is less than it has to be.
    error TradeLedger_BondTooLow(uint64 bond, uint64 minimum);
    /// @notice Thrown when a run is sent although the bond is about to leave.
    error TradeLedger_BondLeaving(uint64 readyAt);
    /// @notice Thrown when somebody acts on a bond that is not theirs, or on none.
    error TradeLedger_NotYourBond(address caller, address owner);
    /// @notice Thrown when nothing is added to a bond.
    error TradeLedger_EmptyBond();
    /// @notice Thrown when a bond was not asked back, or still covers what can be proven.
    error TradeLedger_BondNotReady(uint64 readyAt);

    /// @notice Takes a member in: one ERC-3009 signature of theirs brings the money and sets the cap.
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
    ) external;

    /// @notice Takes an institution in: it receives tolls and levies and has no cap.
    function joinInstitution(address institution) external;

    /// @notice Adds money to a member, by an ERC-3009 signature over its membership as it stands.
    function deposit(
        address member,
        uint64 amountMicros,
        bytes32 salt,
        uint256 validAfter,
        uint256 validBefore,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Sets the most that the caller may be debited per run. A higher cap counts at once; a
    /// lower one takes the place of one that waits, and counts from {applyCap} on.
    function setCap(uint64 capMicros) external;

    /// @notice Lets a member's lower cap count, once {isReady}. Anybody may call it.
    function applyCap(address member) external;

    /// @notice Asks for money back; it stays within reach of intervals that are not settled yet.
    function requestExit(uint64 amountMicros) external;

    /// @notice Leaves it where it is after all.
    function cancelExit() external;

    /// @notice Pays what was asked for, as far as it is still there, once {isReady}; never paused.
    function exit() external;

    /// @notice Settles an interval. Kind 0 is the first settlement, 1 a correction of run `amends`.
    /// @param settledThrough Every interval up to this one has had its first settlement, this run
    /// included; it never falls. Claiming too much lets exits go sooner, claiming too little later.
    /// @param root Commits to a leaf for each account of the run.
    /// @param deltas Entries of 23 bytes, strictly ascending by slot, none empty: see {SlotDelta}.
    function settle(
        uint64 run,
        uint64 interval,
        uint64 settledThrough,
        uint8 kind,
        uint64 amends,
        bytes32 root,
        bytes calldata deltas
    ) external;

    /// @notice Anchors a checkpoint of the service's log. Size and block are kept, the root is in the
    /// event of that block. Instant and Ed25519 signature stay in the transaction's data: with them
    /// anybody can write the signed note from the chain alone.
    function anchorCheckpoint(uint64 size, bytes32 root, uint64 signedAt, bytes32[2] calldata signature) external;

    /// @notice Takes money from the calling settler as a bond, or adds it to its own.
    function postBond(uint64 amountMicros) external;

    /// @notice Asks for the bond back; no run is taken from then on.
    function requestBondRelease() external;

    /// @notice Leaves the bond where it is after all; runs are taken again.
    function cancelBondRelease() external;

    /// @notice Pays the bond back to its owner, once no run that it covers is provable any more.
    function releaseBond() external;

    /// @notice Pauses entries, or lets them go on: joining, deposits, runs and higher caps. What
    /// gives a member its money or its safety back is never paused.
    function pauseEntries(bool paused) external;

    /// @notice Returns whether `leaf` is under the root of `run`, which must still be provable.
    function verifyLeaf(uint64 run, bytes32 leaf, bytes32[] calldata proof) external view returns (bool);

    /// @notice Returns an account's balance.
    function balanceOf(address account) external view returns (uint64);

    /// @notice Returns a member's cap.
    function capOf(address account) external view returns (uint64);

    /// @notice Returns an account's number, which is its place in the runs' deltas.
    function idOf(address account) external view returns (uint32);

    /// @notice Returns the account of a number, or zero.
    function accountOf(uint32 id) external view returns (address);

    /// @notice Returns how many accounts there are.
    function accounts() external view returns (uint32);

    /// @notice Returns what a member has asked for and not been paid.
    function exitOf(address account) external view returns (uint64);

    /// @notice Returns when a member asked for money back, or 0.
    function exitRequestedAt(address account) external view returns (uint64);

    /// @notice Returns the lower cap that a member asked for and when, or 0 and 0.
    function loweringOf(address account) external view returns (uint64 capMicros, uint64 requestedAt);

    /// @notice Returns whether what was asked for at `requestedAt` may happen: two intervals have
    /// passed and every interval up to that of the request is settled, or a week has passed.
    function isReady(uint64 requestedAt) external view returns (bool);

    /// @notice Returns the root of a run, which must still be provable.
    function rootOf(uint64 run) external view returns (bytes32);

    /// @notice Returns whether an interval has had its first settlement.
    function isSettled(uint64 interval) external view returns (bool);

    /// @notice Returns the number of the last run.
    function lastRun() external view returns (uint64);

    /// @notice Returns the interval up to which all have had their first settlement.
    function settledThrough() external view returns (uint64);

    /// @notice Returns the size of the log at the last anchored checkpoint.
    function logSize() external view returns (uint64);

    /// @notice Returns the block whose event says the root of the log at the last checkpoint.
    function logBlock() external view returns (uint64);

    /// @notice Returns the bond that `owner` has posted.
    function bondOf(address owner) external view returns (uint64);

    /// @notice Returns whether entries are paused.
    function entriesPaused() external view returns (bool);
}
