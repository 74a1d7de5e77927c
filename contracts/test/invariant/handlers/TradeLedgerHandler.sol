// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EnergyEuro} from "../../../src/EnergyEuro.sol";
import {TradeLedger} from "../../../src/TradeLedger.sol";
import {StdUtils} from "forge-std/StdUtils.sol";
import {Vm} from "forge-std/Vm.sol";

/// @title TradeLedgerHandler
/// @notice What members, a settler and a guardian do with the ledger; remembers what the laws need.
/// Every call is one that the ledger must take, or is tried and must be refused.
contract TradeLedgerHandler is StdUtils {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 private constant ACCOUNTS = 7;
    uint256 private constant GRID = 6;
    uint64 private constant CENT = 10_000;
    uint64 private constant INTERVAL_S = 900;

    /// @notice What a broken law is counted under.
    enum Law {
        Sums,
        Debits,
        Runs,
        Firsts,
        Exits,
        Caps,
        Bond
    }

    EnergyEuro public immutable EURO;
    TradeLedger public immutable LEDGER;
    address public immutable ADMIN;

    /// @notice The clock: it only goes on.
    uint64 public nowS;
    /// @notice Micros that were sent to the ledger without a call.
    uint256 public donated;
    /// @notice Money that came in for members, and that left with them.
    uint256 public entered;
    uint256 public left;
    /// @notice The bond as it should be, and when it may leave; 0 if nobody asked for it.
    uint256 public bond;
    uint256 public bondReadyAt;
    /// @notice The last run and when it was taken, the interval and the root of each.
    uint64 public lastRun;
    mapping(uint64 run => uint64 interval) public intervalOf;
    mapping(uint64 run => bytes32 root) public rootOf;
    mapping(uint64 interval => uint256 firsts) public firsts;
    uint64 public lastRunAt;
    /// @notice How often each law was broken, and what broke one last.
    mapping(Law law => uint256 times) public broken;
    string public breach;
    /// @notice Each account's balance and cap as they should be.
    uint256[ACCOUNTS] public balances;
    uint256[ACCOUNTS] public caps;

    constructor(EnergyEuro euro, TradeLedger ledger, address admin, uint64 start) {
        (EURO, LEDGER, ADMIN, nowS) = (euro, ledger, admin, start);
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            (balances[i], caps[i]) = (ledger.balanceOf(account(i)), ledger.capOf(account(i)));
            entered += balances[i];
        }
    }

    modifier onTime() {
        VM.warp(nowS);
        _;
    }

    function account(uint256 seed) public view returns (address) {
        return LEDGER.accountOf(uint32(seed % ACCOUNTS));
    }

    function timePasses(uint256 seed) external {
        uint24[6] memory steps = [1, 899, 900, 2700, 302_400, 604_800];
        nowS += steps[seed % 6];
        VM.warp(nowS);
    }

    function donate(uint32 amount) external onTime {
        _fund(address(LEDGER), amount);
        donated += amount;
    }

    /// @dev Settles a payment: in a first settlement of an interval that had none, or in a correction
    /// of the last run.
    function settle(uint256 from, uint256 to, uint256 amount, uint256 back, bool correct, bytes32 root)
        external
        onTime
    {
        correct = correct && lastRun != 0;
        uint64 interval = correct ? intervalOf[lastRun] : _over() - uint64(back % 8);
        uint64 through = uint64(bound(back, LEDGER.settledThrough(), _over()));
        (from, to) = (from % ACCOUNTS, to % ACCOUNTS);
        amount = from == to ? 0 : bound(amount, 0, _most(from));
        bytes memory deltas = amount == 0 ? bytes("") : _entries(from, to, int40(uint40(amount)));
        bytes memory run = _run(lastRun + 1, interval, through, correct ? 1 : 0, root, deltas);
        if (LEDGER.entriesPaused() || bondReadyAt != 0) {
            return _refuse(Law.Bond, ADMIN, run, "a run was taken that must wait");
        }
        if (!correct && firsts[interval] != 0) {
            return _refuse(Law.Firsts, ADMIN, run, "an interval was settled twice");
        }
        _call(ADMIN, run);
        balances[from] -= amount;
        balances[to] += amount;
        lastRun += 1;
        (intervalOf[lastRun], rootOf[lastRun]) = (interval, root);
        firsts[interval] += correct ? 0 : 1;
        lastRunAt = nowS;
    }

    /// @dev Tries runs that no settler may make.
    function settleWrongly(uint256 from, uint256 amount, uint256 kind) external onTime {
        from %= ACCOUNTS;
        uint64 interval = _over() - 9;
        bytes memory deltas = "";
        if (kind % 3 == 0) {
            amount = bound(amount, _most(from) + 1, 2 ** 39 - 1);
            deltas = _entries(from, (from + 1) % ACCOUNTS, int40(uint40(amount)));
            _refuse(Law.Debits, ADMIN, _run(lastRun + 1, interval, _over(), 0, 0, deltas), "too much was debited");
        } else if (kind % 3 == 1) {
            deltas = abi.encodePacked(uint24(0), int40(1), int40(0), int40(0), int40(0));
            _refuse(Law.Sums, ADMIN, _run(lastRun + 1, interval, _over(), 0, 0, deltas), "money was made");
        } else {
            uint64 run = amount % 2 == 0 ? lastRun : lastRun + 2 + uint64(amount % 3);
            _refuse(Law.Runs, ADMIN, _run(run, interval, _over(), 0, 0, ""), "a run was repeated or left out");
        }
    }

    function requestExit(uint256 who, uint256 amount) external onTime {
        address member = account(who);
        uint64 balance = LEDGER.balanceOf(member);
        if (balance == 0 || LEDGER.exitRequestedAt(member) != 0) {
            return _refuse(
                Law.Exits, member, abi.encodeCall(LEDGER.requestExit, (1)), "an exit was asked for twice or of nothing"
            );
        }
        _call(member, abi.encodeCall(LEDGER.requestExit, (uint64(bound(amount, 1, balance)))));
    }

    function cancelExit(uint256 who) external onTime {
        address member = account(who);
        if (LEDGER.exitRequestedAt(member) != 0) {
            _call(member, abi.encodeCall(LEDGER.cancelExit, ()));
        }
    }

    /// @dev Leaves if the rule of readiness, written here another way, says so; paused or not.
    function exit(uint256 who) external onTime {
        address member = account(who);
        uint64 asked = LEDGER.exitRequestedAt(member);
        bytes memory leaving = abi.encodeCall(LEDGER.exit, ());
        if (asked == 0 || !_ready(asked)) {
            return _refuse(Law.Exits, member, leaving, "an exit overtook an interval");
        }
        uint256 wished = LEDGER.exitOf(member);
        uint256 held = LEDGER.balanceOf(member);
        uint256 had = EURO.balanceOf(member);
        _call(member, leaving);
        uint256 paid = EURO.balanceOf(member) - had;
        left += paid;
        balances[who % ACCOUNTS] -= paid;
        _check(Law.Exits, paid == (wished < held ? wished : held), "an exit paid another amount");
    }

    function setCap(uint256 who, uint256 cents) external onTime {
        address member = account(who);
        uint64 cap = uint64(bound(cents, 0, 300)) * CENT;
        uint64 before = LEDGER.capOf(member);
        bytes memory setting = abi.encodeCall(LEDGER.setCap, (cap));
        if (cap > before && LEDGER.entriesPaused()) {
            return _refuse(Law.Caps, member, setting, "a cap rose while entries were paused");
        }
        _call(member, setting);
        caps[who % ACCOUNTS] = cap < before ? before : cap;
    }

    function applyCap(uint256 who, uint256 by) external onTime {
        address member = account(who);
        (uint64 cap, uint64 asked) = LEDGER.loweringOf(member);
        bytes memory applying = abi.encodeCall(LEDGER.applyCap, (member));
        if (asked == 0 || !_ready(asked)) {
            return _refuse(Law.Caps, account(by), applying, "a lower cap overtook an interval");
        }
        _call(account(by), applying);
        caps[who % ACCOUNTS] = cap;
    }

    function postBond(uint32 amount) external onTime {
        amount = uint32(bound(amount, 1, type(uint32).max));
        _fund(ADMIN, amount);
        VM.prank(ADMIN);
        EURO.approve(address(LEDGER), amount);
        _call(ADMIN, abi.encodeCall(LEDGER.postBond, (amount)));
        bond += amount;
    }

    function askForTheBondOrNot(bool ask) external onTime {
        if (bond == 0) {
            return _refuse(Law.Bond, ADMIN, abi.encodeCall(LEDGER.requestBondRelease, ()), "no bond was asked for");
        }
        _call(ADMIN, ask ? abi.encodeCall(LEDGER.requestBondRelease, ()) : abi.encodeCall(LEDGER.cancelBondRelease, ()));
        bondReadyAt = ask ? nowS + 1 weeks : 0;
    }

    function releaseBond() external onTime {
        bytes memory releasing = abi.encodeCall(LEDGER.releaseBond, ());
        if (bond == 0 || bondReadyAt == 0 || nowS < bondReadyAt) {
            return _refuse(Law.Bond, ADMIN, releasing, "the bond left too early");
        }
        uint256 had = EURO.balanceOf(ADMIN);
        _call(ADMIN, releasing);
        _check(Law.Bond, EURO.balanceOf(ADMIN) - had == bond, "another bond was paid");
        (bond, bondReadyAt) = (0, 0);
        _check(Law.Bond, lastRun == 0 || lastRunAt + 1 weeks <= nowS, "the bond left a run of the week behind");
    }

    function pauseEntries(bool paused) external onTime {
        _call(ADMIN, abi.encodeCall(LEDGER.pauseEntries, (paused)));
    }

    /// @dev Returns the most that a run may debit an account.
    function _most(uint256 who) private view returns (uint256) {
        return who != GRID && caps[who] < balances[who] ? caps[who] : balances[who];
    }

    function _entries(uint256 from, uint256 to, int40 amount) private pure returns (bytes memory deltas) {
        int40[8] memory micros;
        micros[from] -= amount;
        micros[to] += amount;
        for (uint256 slot = 0; slot < 2; ++slot) {
            uint256 i = 4 * slot;
            if (from / 4 == slot || to / 4 == slot) {
                deltas = abi.encodePacked(deltas, uint24(slot), micros[i], micros[i + 1], micros[i + 2], micros[i + 3]);
            }
        }
    }

    function _run(uint64 run, uint64 interval, uint64 through, uint8 kind, bytes32 root, bytes memory deltas)
        private
        view
        returns (bytes memory)
    {
        return abi.encodeCall(LEDGER.settle, (run, interval, through, kind, lastRun, root, deltas));
    }

    function _ready(uint64 asked) private view returns (bool) {
        uint64 waited = nowS - asked;
        return waited >= 1 weeks || (waited >= 2 * INTERVAL_S && LEDGER.settledThrough() >= asked / INTERVAL_S);
    }

    function _over() private view returns (uint64) {
        return nowS / INTERVAL_S - 1;
    }

    function _fund(address holder, uint256 amount) private {
        VM.prank(ADMIN);
        EURO.mint(holder, amount);
    }

    function _call(address caller, bytes memory data) private {
        VM.prank(caller);
        (bool done, bytes memory answer) = address(LEDGER).call(data);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }

    function _refuse(Law law, address caller, bytes memory data, string memory otherwise) private {
        VM.prank(caller);
        (bool done,) = address(LEDGER).call(data);
        _check(law, !done, otherwise);
    }

    function _check(Law law, bool holds, string memory otherwise) private {
        if (!holds) {
            broken[law] += 1;
            breach = otherwise;
        }
    }
}
