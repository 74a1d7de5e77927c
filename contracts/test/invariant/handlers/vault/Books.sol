// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../../../IVault.sol";
import {HostileEuro} from "../../../tokens/HostileEuro.sol";
import {IChargeVault} from "../../../../src/interfaces/IChargeVault.sol";
import {IMeterRegistry} from "../../../../src/interfaces/IMeterRegistry.sol";
import {StdUtils} from "forge-std/StdUtils.sol";
import {Vm} from "forge-std/Vm.sol";

/// @title Books
/// @notice Who has what as it should be, kept beside the vault; and what became of each law.
abstract contract Books is StdUtils {
    Vm internal constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 public constant DRIVERS = 3;
    uint32 public constant PURSES = 2;
    uint256 public constant OPERATORS = 3;

    /// @notice What a broken law is counted under.
    enum Law {
        Charges,
        Records,
        Ends,
        Deadlines,
        Refusals,
        Energy,
        Keys,
        Openings,
        Strangers
    }

    /// @notice A session as it should be; `held` is its deposit with all top-ups.
    struct Session {
        IChargeVault.Terms terms;
        IChargeVault.Opening opening;
        bytes32 id;
        uint64 held;
        bool ended;
    }

    /// @notice A purse as it should be.
    struct Holding {
        uint64 free;
        uint64 held;
        uint32 opened;
        bool runs;
    }

    HostileEuro public immutable TOKEN;
    IMeterRegistry public immutable REGISTRY;
    IVault public immutable VAULT;
    address public immutable ADMIN;

    /// @notice The clock: it only goes on.
    uint64 public nowS;
    /// @notice Micros that were sent to the vault without a call.
    uint256 public donated;
    /// @notice Each purse, and what each operator has earned and each wallet holds.
    mapping(address driver => mapping(uint32 purse => Holding holding)) public holdings;
    mapping(address operator => uint256 micros) public earned;
    mapping(address wallet => uint256 micros) public wallets;
    /// @notice How often each law was broken, and what broke one last.
    mapping(Law law => uint256 times) public broken;
    string public breach;

    Session[] internal _sessions;
    address[DRIVERS] private _drivers;

    constructor(HostileEuro token, IMeterRegistry registry, IVault vault, address admin, uint64 start) {
        (TOKEN, REGISTRY, VAULT, ADMIN, nowS) = (token, registry, vault, admin, start);
        for (uint256 i = 0; i < DRIVERS; ++i) {
            _drivers[i] = VM.addr(driverKey(i));
        }
    }

    modifier onTime() {
        VM.warp(nowS);
        _;
    }

    /// @dev Often some time has gone by since the call before.
    modifier later(uint256 seed) {
        nowS += [uint16(0), 0, 900, 1800, 3600][_mix(seed) % 5];
        VM.warp(nowS);
        _;
    }

    function sessions() external view returns (uint256) {
        return _sessions.length;
    }

    function session(uint256 i) external view returns (Session memory) {
        return _sessions[i];
    }

    function driverKey(uint256 seed) public pure returns (uint256) {
        return uint256(keccak256(abi.encode("driver", seed % DRIVERS)));
    }

    function driver(uint256 seed) public view returns (address) {
        return _drivers[seed % DRIVERS];
    }

    function operator(uint256 seed) public pure returns (address) {
        return address(uint160(0xa11ce000 + seed % OPERATORS));
    }

    /// @notice Returns another wallet of somebody's, which no token refuses.
    function haven(address who) public pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode("haven", who)))));
    }

    /// @dev Returns whether the token would take nothing from this wallet, and give it nothing.
    function _isBlocked(address who) internal view returns (bool) {
        return TOKEN.mood() == HostileEuro.Mood.Blocking && TOKEN.blocked() == who;
    }

    /// @dev Makes money for a wallet, unless the token lets it have none.
    function _give(address holder, uint256 amount) internal {
        if (!_isBlocked(holder)) {
            VM.prank(ADMIN);
            TOKEN.mint(holder, amount);
            wallets[holder] += amount;
        }
    }

    /// @dev Returns which session is meant: one that runs if any does, but for each eighth.
    function _pick(uint256 seed) internal view returns (uint256 i) {
        seed = _mix(seed);
        i = seed % _sessions.length;
        for (uint256 k = 0; seed >> 8 & 7 != 0 && k < _sessions.length && _sessions[i].ended; ++k) {
            i = (i + 1) % _sessions.length;
        }
    }

    /// @dev Spreads what was drawn, which is often a small number, over all bits.
    function _mix(uint256 seed) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed)));
    }

    /// @dev Makes a call that must succeed, or must fail with this error if it is one.
    function _try(address caller, bytes memory data, Law law, bytes memory why) internal returns (bool done) {
        VM.prank(caller);
        bytes memory answer;
        (done, answer) = address(VAULT).call(data);
        if (why.length != 0) {
            _check(law, !done, "what must be refused was done");
            _check(law, done || keccak256(answer) == keccak256(why), "it was refused for another reason");
        } else if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
    }

    function _check(Law law, bool holds, string memory otherwise) internal {
        if (!holds) {
            broken[law] += 1;
            breach = otherwise;
        }
    }
}
