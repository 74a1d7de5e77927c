// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EnergyEuro} from "../../../src/EnergyEuro.sol";
import {StdUtils} from "forge-std/StdUtils.sol";
import {Vm, VmSafe} from "forge-std/Vm.sol";

/// @title EnergyEuroHandler
/// @notice What people do with the token, and what a stranger tries; remembers what was made.
contract EnergyEuroHandler is StdUtils {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    bytes32 private constant RECEIVE_TYPEHASH = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    uint256 private constant PEOPLE = 4;

    EnergyEuro public immutable EURO;
    address public immutable ADMIN;

    /// @notice Micros that minters have made.
    uint256 public made;
    /// @notice Authorizations that moved money.
    uint256 public spent;
    /// @notice Spent authorizations that moved money again; none may.
    uint256 public spentAgain;

    VmSafe.Wallet[] private _people;

    constructor(EnergyEuro euro, address admin) {
        (EURO, ADMIN) = (euro, admin);
        for (uint256 i = 0; i < PEOPLE; ++i) {
            _people.push(VM.createWallet(i + 1));
        }
    }

    function person(uint256 seed) public view returns (address) {
        return _people[seed % PEOPLE].addr;
    }

    function mint(uint256 to, uint64 amount) external {
        made += amount;
        VM.prank(ADMIN);
        EURO.mint(person(to), amount);
    }

    function mintBatch(uint256 first, uint256 second, uint64 amount) external {
        address[] memory holders = new address[](2);
        uint256[] memory amounts = new uint256[](2);
        (holders[0], holders[1]) = (person(first), person(second));
        (amounts[0], amounts[1]) = (amount, amount / 2);
        made += amounts[0] + amounts[1];
        VM.prank(ADMIN);
        EURO.mintBatch(holders, amounts);
    }

    function transfer(uint256 from, uint256 to, uint256 amount) external {
        amount = bound(amount, 0, EURO.balanceOf(person(from)));
        VM.prank(person(from));
        EURO.transfer(person(to), amount);
    }

    function takeTwice(uint256 from, uint256 to, uint256 amount) external {
        VmSafe.Wallet memory payer = _people[from % PEOPLE];
        amount = bound(amount, 0, EURO.balanceOf(payer.addr));
        bytes memory taking = _signed(payer, person(to), amount, bytes32(spent));
        VM.startPrank(person(to));
        (bool first,) = address(EURO).call(taking);
        require(first, "a good authorization was refused");
        (bool second,) = address(EURO).call(taking);
        VM.stopPrank();
        spent += 1;
        spentAgain += second ? 1 : 0;
    }

    function mintAsStranger(uint256 who, uint64 amount) external {
        VM.prank(person(who));
        (bool done,) = address(EURO).call(abi.encodeCall(EURO.mint, (person(who), amount)));
        require(!done, "a stranger made money");
    }

    function sumOfBalances() external view returns (uint256 sum) {
        for (uint256 i = 0; i < PEOPLE; ++i) {
            sum += EURO.balanceOf(person(i));
        }
    }

    function _signed(VmSafe.Wallet memory payer, address payee, uint256 amount, bytes32 nonce)
        private
        returns (bytes memory)
    {
        uint256 until = type(uint40).max;
        bytes32 terms = keccak256(abi.encode(RECEIVE_TYPEHASH, payer.addr, payee, amount, 0, until, nonce));
        (uint8 v, bytes32 r, bytes32 s) =
            VM.sign(payer, keccak256(abi.encodePacked(hex"1901", EURO.DOMAIN_SEPARATOR(), terms)));
        return abi.encodeCall(EURO.receiveWithAuthorization, (payer.addr, payee, amount, 0, until, nonce, v, r, s));
    }
}
