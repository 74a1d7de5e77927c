// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ITradeLedger
/// @notice Holds the money of a community's members and settles their intervals: consecutive runs
/// of deltas that sum to zero, within each member's own cap and funds, under a root that commits to
/// every account. All amounts are micros of the token, all instants are Unix seconds.
interface ITradeLedger {
    /// @notice What a run moves for one account.
    struct Delta {
        address account;
        int64 micros;
    }

    /// @notice Emitted when a member joins.
    event Joined(address indexed member, uint64 capMicros, uint64 amountMicros);
    /// @notice Emitted when a grid operator or a state joins.
    event InstitutionJoined(address indexed institution);
    /// @notice Emitted when a member adds money.
    event Deposited(address indexed member, uint64 amountMicros);
    /// @notice Emitted when a member sets its own cap.
    event CapSet(address indexed member, uint64 capMicros);
    /// @notice Emitted when a member asks for money back.
    event ExitRequested(address indexed member, uint64 amountMicros, uint64 readyAt);
    /// @notice Emitted when it is paid.
    event Exited(address indexed member, uint64 amountMicros);
    /// @notice Emitted when an interval is settled.
    event IntervalSettled(
        uint64 indexed run, uint64 indexed interval, uint8 kind, bytes32 root, bytes32 deltasHash
    );
    /// @notice Emitted when a checkpoint of the service's log is anchored.
    event CheckpointAnchored(uint64 indexed size, bytes32 root);

    /// @notice Thrown when somebody joins twice.
    error TradeLedger_AlreadyJoined(address account);
    /// @notice Thrown when an account is no member.
    error TradeLedger_NotAMember(address account);
    /// @notice Thrown when the run is not the one after the last.
    error TradeLedger_RunNotNext(uint64 run, uint64 last);
    /// @notice Thrown when the kind is neither initial nor correction.
    error TradeLedger_UnknownKind(uint8 kind);
    /// @notice Thrown when an interval is settled a second time as if it were the first.
    error TradeLedger_AlreadySettled(uint64 interval, uint64 run);
    /// @notice Thrown when a correction does not name a run of its interval.
    error TradeLedger_AmendsNothing(uint64 interval, uint64 amends);
    /// @notice Thrown when an interval is not over.
    error TradeLedger_IntervalNotOver(uint64 interval);
    /// @notice Thrown when accounts are not strictly ascending.
    error TradeLedger_Unsorted(address account);
    /// @notice Thrown when deltas do not sum to zero.
    error TradeLedger_NotZeroSum(int256 sum);
    /// @notice Thrown when an account would be debited more than it holds.
    error TradeLedger_Underfunded(address account, uint64 balance, uint64 debit);
    /// @notice Thrown when a member would be debited more than its own cap.
    error TradeLedger_AboveCap(address account, uint64 cap, uint64 debit);
    /// @notice Thrown when an exit is asked for while another one waits, or is empty.
    error TradeLedger_BadExit(address member, uint64 amountMicros);
    /// @notice Thrown when no exit is ready.
    error TradeLedger_ExitNotReady(address member, uint64 readyAt);
    /// @notice Thrown when a checkpoint is not of a longer log than the last one.
    error TradeLedger_LogDidNotGrow(uint64 size, uint64 last);

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

    /// @notice Sets the most that the caller may be debited per interval.
    function setCap(uint64 capMicros) external;

    /// @notice Asks for money back; it stays within reach of intervals that are not settled yet.
    function requestExit(uint64 amountMicros) external;

    /// @notice Pays what was asked for, as far as it is still there, two intervals after asking.
    function exit() external;

    /// @notice Settles an interval. Kind 0 is the first settlement, 1 a correction of run `amends`.
    /// @param deltas By account, strictly ascending, none left out, none zero.
    function settle(
        uint64 run,
        uint64 interval,
        uint8 kind,
        uint64 amends,
        bytes32 root,
        Delta[] calldata deltas
    ) external;

    /// @notice Anchors a checkpoint of the service's log.
    function anchorCheckpoint(uint64 size, bytes32 root, bytes calldata cosignature) external;

    /// @notice Returns whether `leaf` is under the root of `run`.
    function verifyLeaf(uint64 run, bytes32 leaf, bytes32[] calldata proof) external view returns (bool);

    /// @notice Returns an account's balance.
    function balanceOf(address account) external view returns (uint64);

    /// @notice Returns a member's cap.
    function capOf(address account) external view returns (uint64);

    /// @notice Returns what a member has asked for and not been paid.
    function exitOf(address account) external view returns (uint64);

    /// @notice Returns the root of a run.
    function rootOf(uint64 run) external view returns (bytes32);

    /// @notice Returns the first run of an interval, or 0.
    function runOf(uint64 interval) external view returns (uint64);
}
