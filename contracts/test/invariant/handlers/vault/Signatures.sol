// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TermsHashReference} from "../../../reference/TermsHashReference.sol";
import {IChargeVault} from "../../../../src/interfaces/IChargeVault.sol";
import {Books} from "./Books.sol";

/// @title Signatures
/// @notice What drivers and meters sign, on both curves.
abstract contract Signatures is Books {
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant RECEIVE_TYPEHASH = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );
    bytes32 private constant PERMIT_TYPEHASH =
        keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
    bytes32 private constant TERMS_TYPEHASH = keccak256(
        "SessionTerms(address driver,uint32 purse,address operator,bytes32 meterId,string idTag,uint64 priceMicrosPerKwh,uint64 flatMicros,uint64 depositMicros,bytes32 tariffFingerprint,uint64 deadline,bytes32 salt)"
    );
    bytes32 private constant TOP_UP_TYPEHASH =
        keccak256("TopUp(bytes32 sessionId,uint64 depositMicros,uint64 amountMicros)");
    bytes32 private constant TOTAL_TYPEHASH = keccak256("SessionTotal(bytes32 sessionId,uint64 totalMicros)");
    bytes32 private constant READING_TYPEHASH =
        keccak256("SessionReading(bytes32 sessionId,bytes32 meterId,uint64 beginWh,uint64 endWh,uint64 endedAt)");
    uint256 internal constant FOR_EVER = type(uint40).max;

    function _idOf(IChargeVault.Terms memory terms) internal pure returns (bytes32) {
        return TermsHashReference.hash(TERMS_TYPEHASH, terms);
    }

    /// @dev Returns the digest of a struct that the vault checks.
    function _digestOf(bytes32 structHash) internal view returns (bytes32) {
        bytes32 domain =
            keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("Voisin"), keccak256("1"), block.chainid, address(VAULT)));
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    /// @dev Returns a driver's leave for the vault to take one amount once.
    function _consent(uint256 key, uint64 amount, bytes32 nonce)
        internal
        view
        returns (IChargeVault.Authorization memory)
    {
        bytes32 structHash =
            keccak256(abi.encode(RECEIVE_TYPEHASH, VM.addr(key), address(VAULT), amount, 0, FOR_EVER, nonce));
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, _tokenDigest(structHash));
        return IChargeVault.Authorization(0, FOR_EVER, v, r, s);
    }

    /// @dev Returns a driver's permit for the vault.
    function _permit(uint256 key, uint64 amount) internal view returns (uint8 v, bytes32 r, bytes32 s) {
        address owner = VM.addr(key);
        return VM.sign(
            key,
            _tokenDigest(
                keccak256(abi.encode(PERMIT_TYPEHASH, owner, address(VAULT), amount, TOKEN.nonces(owner), FOR_EVER))
            )
        );
    }

    function _topUpNonce(bytes32 sessionId, uint64 before, uint64 amount) internal pure returns (bytes32) {
        return keccak256(abi.encode(TOP_UP_TYPEHASH, sessionId, before, amount));
    }

    /// @dev Returns the digest of a total that a driver agrees to.
    function _totalDigest(bytes32 sessionId, uint64 total) internal view returns (bytes32) {
        return _digestOf(keccak256(abi.encode(TOTAL_TYPEHASH, sessionId, total)));
    }

    /// @dev Returns the digest of a gateway's reading of a session.
    function _readingDigest(bytes32 sessionId, bytes32 meterId, IChargeVault.Reading memory reading)
        internal
        view
        returns (bytes32)
    {
        return _digestOf(
            keccak256(abi.encode(READING_TYPEHASH, sessionId, meterId, reading.beginWh, reading.endWh, reading.endedAt))
        );
    }

    /// @dev Signs on either curve: r, s, x, y on P-256, and r, s, v on secp256k1.
    function _sign(uint256 key, bool p256, bytes32 digest) internal pure returns (bytes memory) {
        if (p256) {
            (bytes32 first, bytes32 second) = VM.signP256(key, digest);
            (uint256 x, uint256 y) = VM.publicKeyP256(key);
            return abi.encodePacked(first, second, x, y);
        }
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _tokenDigest(bytes32 structHash) private view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", TOKEN.DOMAIN_SEPARATOR(), structHash));
    }
}
