// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EnergyEuro} from "../src/EnergyEuro.sol";
import {TradeLedger} from "../src/TradeLedger.sol";
import {Base_Test} from "./Base.t.sol";
import {HostileEuro} from "./tokens/HostileEuro.sol";

/// @title Trading_Test
/// @notice A community of six members and a grid operator in two slots, and runs of its intervals.
/// The token is found by name, so that no suite compiles it anew.
abstract contract Trading_Test is Base_Test {
    /// @dev The arguments of a run.
    struct Run {
        uint64 run;
        uint64 interval;
        uint64 settledThrough;
        uint8 kind;
        uint64 amends;
        bytes32 root;
        bytes deltas;
    }

    uint64 internal constant INTERVAL_S = 900;
    // Where the machine's clock begins; an interval begins there too.
    uint64 internal constant START = 1_760_400_000;
    // The last interval that is over then.
    uint64 internal constant OVER = START / INTERVAL_S - 1;
    uint64 internal constant UNTIL = type(uint40).max;
    uint64 internal constant CENT = 10_000;
    uint64 internal constant CAP = 1_000_000;
    uint64 internal constant BALANCE = 5_000_000;
    uint64 internal constant CAP_MAX = (2 ** 19 - 1) * 10_000;
    uint64 internal constant BALANCE_MAX = 2 ** 44 - 1;
    uint256 internal constant MEMBERS = 6;
    uint32 internal constant GRID_ID = 6;
    bytes32 internal constant ROOT = keccak256("root");

    TradeLedger internal ledger;
    Account[] internal members;
    address internal grid = makeAddr("grid");

    function setUp() public virtual override {
        euro = EnergyEuro(deployCode("HostileEuro.sol:HostileEuro", abi.encode(admin)));
        ledger = deployed(INTERVAL_S, 0);
        for (uint256 i = 0; i < MEMBERS; ++i) {
            members.push(makeAccount(string.concat("member", vm.toString(i))));
            fund(members[i].addr, 1_000_000_000);
            join(members[i], CAP, BALANCE);
        }
        vm.prank(admin);
        ledger.joinInstitution(grid);
    }

    function deployed(uint64 intervalLength, uint64 minimumBond) internal returns (TradeLedger) {
        return TradeLedger(deployShipped("TradeLedger", abi.encode(euro, intervalLength, minimumBond, admin)));
    }

    function hostile() internal view returns (HostileEuro) {
        return HostileEuro(address(euro));
    }

    function fund(address holder, uint256 amount) internal {
        vm.prank(admin);
        euro.mint(holder, amount);
    }

    /// @dev Signs, as `who`, that the ledger may take `amount` for a membership with `cap`.
    function signed(Account memory who, uint64 cap, uint64 amount, bytes32 salt)
        internal
        view
        returns (uint8 v, bytes32 r, bytes32 s)
    {
        bytes32 nonce = keccak256(abi.encode(ledger.MEMBERSHIP_TYPEHASH(), who.addr, cap, amount, salt));
        return authorize(address(euro), who, address(ledger), amount, nonce);
    }

    function join(Account memory who, uint64 cap, uint64 amount) internal {
        (uint8 v, bytes32 r, bytes32 s) = signed(who, cap, amount, 0);
        ledger.join(who.addr, cap, amount, 0, 0, UNTIL, v, r, s);
    }

    /// @dev Pays in as a member with this cap, by a signature of its own for each salt.
    function pay(Account memory who, uint64 cap, uint64 amount, bytes32 salt) internal {
        (uint8 v, bytes32 r, bytes32 s) = signed(who, cap, amount, salt);
        ledger.deposit(who.addr, amount, salt, 0, UNTIL, v, r, s);
    }

    /// @dev Returns the first settlement that comes next; each run is of an interval before the last's.
    function following(bytes memory deltas) internal view returns (Run memory) {
        uint64 last = ledger.lastRun();
        return Run(last + 1, OVER - last, ledger.settledThrough(), 0, 0, ROOT, deltas);
    }

    function settle(Run memory one) internal {
        vm.prank(admin);
        ledger.settle(one.run, one.interval, one.settledThrough, one.kind, one.amends, one.root, one.deltas);
    }

    /// @dev Says that all intervals up to `interval` are settled, by a run of it that moves nothing.
    function settleThrough(uint64 interval) internal {
        Run memory one = following("");
        (one.interval, one.settledThrough) = (interval, interval);
        settle(one);
    }

    function entry(uint24 slot, int40 first, int40 second, int40 third, int40 fourth)
        internal
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(slot, first, second, third, fourth);
    }

    /// @dev Moves from the second member to the first.
    function trade(int40 micros) internal pure returns (bytes memory) {
        return entry(0, micros, -micros, 0, 0);
    }

    function post(uint64 amount) internal {
        fund(admin, amount);
        vm.startPrank(admin);
        euro.approve(address(ledger), amount);
        ledger.postBond(amount);
        vm.stopPrank();
    }

    /// @dev Lets the ledger believe that `number` accounts have joined.
    function pretendJoined(TradeLedger where, uint256 number) internal {
        bytes32 place = bytes32(uint256(1));
        uint256 word = uint256(vm.load(address(where), place));
        assertEq((word >> 192) & type(uint32).max, where.accounts(), "the layout of TradeLedgerState changed");
        uint256 others = word & ~(uint256(type(uint32).max) << 192);
        vm.store(address(where), place, bytes32(others | (number << 192)));
    }

    function sumOfBalances() internal view returns (uint256 sum) {
        for (uint32 id = 0; id < ledger.accounts(); ++id) {
            sum += ledger.balanceOf(ledger.accountOf(id));
        }
    }
}
