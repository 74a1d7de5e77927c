// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base_Test} from "./Base.t.sol";
import {IVault} from "./IVault.sol";
import {TermsHashReference} from "./reference/TermsHashReference.sol";
import {HostileEuro} from "./tokens/HostileEuro.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IChargeVault} from "../src/interfaces/IChargeVault.sol";
import {IMeterRegistry} from "../src/interfaces/IMeterRegistry.sol";

/// @title Vault_Test
/// @notice A vault on a token that can misbehave, meters of both curves, and what drivers and meters
/// sign. The token is fetched by name, so that no suite compiles it anew.
abstract contract Vault_Test is Base_Test {
    bytes32 internal constant TERMS_TYPEHASH = keccak256(
        "SessionTerms(address driver,uint32 purse,address operator,bytes32 meterId,string idTag,uint64 priceMicrosPerKwh,uint64 flatMicros,uint64 depositMicros,bytes32 tariffFingerprint,uint64 deadline,bytes32 salt)"
    );
    bytes32 internal constant TOP_UP_TYPEHASH =
        keccak256("TopUp(bytes32 sessionId,uint64 depositMicros,uint64 amountMicros)");
    bytes32 internal constant TOTAL_TYPEHASH = keccak256("SessionTotal(bytes32 sessionId,uint64 totalMicros)");
    bytes32 internal constant READING_TYPEHASH =
        keccak256("SessionReading(bytes32 sessionId,bytes32 meterId,uint64 beginWh,uint64 endWh,uint64 endedAt)");
    bytes32 internal constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    uint256 internal constant START = 1_760_400_000;
    uint64 internal constant DEPOSIT = 20_000_000;
    /// @dev What 5.5 kWh cost under the plain terms.
    uint64 internal constant CHARGE = 2_654_350;
    uint64 internal constant REFUND = DEPOSIT - CHARGE;
    uint24 internal constant POWER_W = 22_000;

    /// @dev Meters are named after their keys: 1 to 4.
    bytes32 internal constant STATION = bytes32(uint256(1)); // P-256
    bytes32 internal constant K1_STATION = bytes32(uint256(2));
    bytes32 internal constant GATEWAY = bytes32(uint256(3));
    bytes32 internal constant P256_GATEWAY = bytes32(uint256(4));
    bytes32 internal constant FEEDER_HEAD = bytes32(uint256(5));

    Account internal other = makeAccount("other");
    address internal operator = makeAddr("operator");
    address internal buyer = makeAddr("buyer");

    HostileEuro internal token;
    IMeterRegistry internal registry;
    IVault internal vault;
    bytes32 internal tokenDomain;

    function setUp() public virtual override {
        vm.warp(START);
        token = HostileEuro(deployCode("HostileEuro.sol:HostileEuro", abi.encode(admin)));
        tokenDomain = token.DOMAIN_SEPARATOR();
        registry = IMeterRegistry(deployShipped("MeterRegistry", abi.encode(admin)));
        vault = IVault(deployShipped("ChargeVault", abi.encode(token, registry)));
        enrol(STATION, IMeterRegistry.Kind.Station, true);
        enrol(K1_STATION, IMeterRegistry.Kind.Station, false);
        enrol(GATEWAY, IMeterRegistry.Kind.Gateway, false);
        enrol(P256_GATEWAY, IMeterRegistry.Kind.Gateway, true);
        enrol(FEEDER_HEAD, IMeterRegistry.Kind.FeederHead, false);
    }

    // Meters.

    function isP256(bytes32 meterId) internal pure returns (bool) {
        return meterId == STATION || meterId == P256_GATEWAY;
    }

    function publicKey(uint256 key, bool p256) internal returns (bytes32 x, bytes32 y) {
        if (p256) {
            (uint256 first, uint256 second) = vm.publicKeyP256(key);
            return (bytes32(first), bytes32(second));
        }
        return (bytes32(vm.createWallet(key).publicKeyX), bytes32(vm.createWallet(key).publicKeyY));
    }

    function enrol(bytes32 meterId, IMeterRegistry.Kind kind, bool p256) internal {
        (bytes32 x, bytes32 y) = publicKey(uint256(meterId), p256);
        vm.prank(admin);
        registry.enrol(meterId, kind, IMeterRegistry.Curve(p256 ? 1 : 0), x, y, POWER_W, 0, type(uint32).max);
        assign(meterId, operator);
    }

    function assign(bytes32 meterId, address owner) internal {
        vm.prank(admin);
        registry.assign(meterId, owner);
        vault.bind(meterId);
    }

    function revoke(bytes32 meterId) internal {
        vm.prank(admin);
        registry.revoke(meterId);
    }

    // Terms and openings.

    /// @dev Returns the driver's terms at the P-256 station; the salt is one for a wallet.
    function plain() internal view returns (IChargeVault.Terms memory terms) {
        terms.driver = driver.addr;
        terms.operator = operator;
        terms.meterId = STATION;
        terms.idTag = "0123456789ABCDEF0123";
        terms.priceMicrosPerKwh = 391_700;
        terms.flatMicros = 500_000;
        terms.depositMicros = DEPOSIT;
        terms.tariffFingerprint = keccak256("tariff");
        terms.deadline = uint64(START + 1 days);
        terms.salt = keccak256("salt");
    }

    /// @dev Returns the driver's terms from a standing balance: their salt is a session's number.
    function standing(uint256 number) internal view returns (IChargeVault.Terms memory terms) {
        terms = plain();
        terms.salt = bytes32(number);
    }

    function termsAt(bytes32 meterId) internal view returns (IChargeVault.Terms memory terms) {
        terms = plain();
        terms.meterId = meterId;
    }

    function idOf(IChargeVault.Terms memory terms) internal pure returns (bytes32) {
        return TermsHashReference.hash(TERMS_TYPEHASH, terms);
    }

    function give(address holder, uint256 amount) internal {
        vm.prank(admin);
        token.mint(holder, amount);
    }

    function accountOf(address who) internal view returns (Account memory) {
        return who == other.addr ? other : driver;
    }

    /// @dev Returns the driver's leave to take one amount once. It asks the token nothing, so that it can
    /// stand between an expectation and the call that is meant.
    function consent(Account memory payer, uint256 amount, bytes32 nonce)
        internal
        view
        returns (IChargeVault.Authorization memory)
    {
        uint256 until = type(uint40).max;
        bytes32 terms = keccak256(abi.encode(RECEIVE_TYPEHASH, payer.addr, vault, amount, 0, until, nonce));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(payer.key, keccak256(abi.encodePacked(hex"1901", tokenDomain, terms)));
        return IChargeVault.Authorization(0, until, v, r, s);
    }

    /// @dev Opens a session from the wallet of its driver, who has just enough.
    function open(IChargeVault.Terms memory terms) internal returns (IChargeVault.Opening memory) {
        give(terms.driver, terms.depositMicros);
        vault.open(terms, consent(accountOf(terms.driver), terms.depositMicros, idOf(terms)));
        return IChargeVault.Opening(uint64(vm.getBlockTimestamp()), vault.lastPageOf(terms.meterId), true);
    }

    /// @dev Puts money into a purse.
    function stand(address who, uint32 purse, uint64 amount) internal {
        give(who, amount);
        vm.startPrank(who);
        token.approve(address(vault), amount);
        vault.deposit(who, purse, amount);
        vm.stopPrank();
    }

    /// @dev Opens a session from a standing balance of just enough, sent by the driver.
    function openStanding(IChargeVault.Terms memory terms) internal returns (IChargeVault.Opening memory) {
        stand(terms.driver, terms.purse, terms.depositMicros);
        vm.prank(terms.driver);
        vault.openFromBalance(terms, "");
        return IChargeVault.Opening(uint64(vm.getBlockTimestamp()), vault.lastPageOf(terms.meterId), false);
    }

    // What drivers sign.

    function sign(uint256 key, bytes32 structHash) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digestOf(structHash));
        return abi.encodePacked(r, s, v);
    }

    function digestOf(bytes32 structHash) internal view returns (bytes32) {
        bytes32 domain =
            keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("Voisin"), keccak256("1"), block.chainid, address(vault)));
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function signTotal(Account memory signer, bytes32 sessionId, uint64 total) internal view returns (bytes memory) {
        return sign(signer.key, keccak256(abi.encode(TOTAL_TYPEHASH, sessionId, total)));
    }

    function topUpNonce(bytes32 sessionId, uint64 before, uint64 amount) internal pure returns (bytes32) {
        return keccak256(abi.encode(TOP_UP_TYPEHASH, sessionId, before, amount));
    }

    // What meters sign.

    function signAs(uint256 key, bool p256, bytes32 digest) internal pure returns (bytes memory) {
        if (p256) {
            (bytes32 r, bytes32 s) = vm.signP256(key, digest);
            (uint256 x, uint256 y) = vm.publicKeyP256(key);
            return abi.encodePacked(r, s, x, y);
        }
        (uint8 v, bytes32 first, bytes32 second) = vm.sign(key, digest);
        return abi.encodePacked(first, second, v);
    }

    /// @dev Returns the meter's signature of a record.
    function stamp(bytes32 meterId, bytes memory payload) internal pure returns (bytes memory) {
        return signAs(uint256(meterId), isP256(meterId), sha256(payload));
    }

    /// @dev Returns a plain record from 10 kWh on.
    function record(string memory tag, uint256 page, uint256 energyWh) internal pure returns (bytes memory) {
        return abi.encodePacked(
            '{"FV":"1.4","PG":"T',
            vm.toString(page),
            '","ID":"',
            tag,
            '","RD":[{"TX":"B","RV":10000,"RU":"Wh","ST":"G"},{"TX":"E","RV":',
            vm.toString(10_000 + energyWh),
            ',"RU":"Wh","ST":"G"}]}'
        );
    }

    /// @dev Closes a session by the record of 5.5 kWh that its own meter signed, when time has passed.
    function close(IChargeVault.Terms memory terms, IChargeVault.Opening memory opening, uint256 page, uint256 elapsedS)
        internal
    {
        vm.warp(vm.getBlockTimestamp() + elapsedS);
        close(terms, opening, record(terms.idTag, page, 5500));
    }

    /// @dev Closes a session by a record that its own meter signed.
    function close(IChargeVault.Terms memory terms, IChargeVault.Opening memory opening, bytes memory payload)
        internal
    {
        this.closeSigned(terms, opening, payload);
    }

    /// @dev SHA-256 is a call as well: made in here, it is not taken for the one that is meant.
    function closeSigned(
        IChargeVault.Terms calldata terms,
        IChargeVault.Opening calldata opening,
        bytes calldata payload
    ) external {
        vault.closeWithOcmf(terms, opening, payload, stamp(terms.meterId, payload));
    }

    /// @dev Returns the signature of a gateway under its reading of a session.
    function stampReading(IChargeVault.Terms memory terms, IChargeVault.Reading memory reading)
        internal
        view
        returns (bytes memory)
    {
        bytes32 structHash = keccak256(
            abi.encode(READING_TYPEHASH, idOf(terms), terms.meterId, reading.beginWh, reading.endWh, reading.endedAt)
        );
        return signAs(uint256(terms.meterId), isP256(terms.meterId), digestOf(structHash));
    }

    // What the vault holds.

    /// @dev Checks that a purse holds so much free and so much as deposit.
    function assertPurse(address who, uint32 purse, uint64 free, uint64 held) internal view {
        assertEq(vault.freeOf(who, purse), free, "free");
        assertEq(vault.depositOf(who, purse), held, "held");
    }

    function expectTransfer(address from, address to, uint256 amount) internal {
        vm.expectEmit(address(token));
        emit IERC20.Transfer(from, to, amount);
    }

    function unauthorized(address who, bytes32 role) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, who, role);
    }
}
