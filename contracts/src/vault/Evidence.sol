// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IMeterRegistry} from "../interfaces/IMeterRegistry.sol";
import {Ocmf} from "../libraries/Ocmf.sol";
import {Stations} from "./Stations.sol";

/// @title Evidence
/// @notice The proof side of the {IChargeVault}: what a meter has signed, of which session, and
/// whether it is possible.
abstract contract Evidence is Stations, EIP712 {
    /// @notice Type of what a gateway signs (EIP-712).
    bytes32 public constant READING_TYPEHASH =
        keccak256("SessionReading(bytes32 sessionId,bytes32 meterId,uint64 beginWh,uint64 endWh,uint64 endedAt)");

    /// @dev P-256 verification (EIP-7951).
    address private constant P256_VERIFY = address(0x100);
    /// @dev Lengths of r, s, x, y and of r, s, v.
    uint256 private constant P256_SIGNATURE_BYTES = 128;
    uint256 private constant K1_SIGNATURE_BYTES = 65;
    /// @dev What a meter may show beyond its rated power, in percent.
    uint256 private constant POWER_TOLERANCE_PERCENT = 105;

    /// @dev Returns what a station meter's record proves of a session.
    function _proveByRecord(
        Terms calldata terms,
        Opening calldata opening,
        bytes calldata payload,
        bytes calldata signature
    ) internal view returns (uint64 energyWh, uint64 page) {
        uint256 ratedPowerW = _checkSigned(terms.meterId, IMeterRegistry.Kind.Station, sha256(payload), signature);
        Ocmf.Session memory record = Ocmf.read(payload);
        require(record.hasIdTag, ChargeVault_Unbindable());
        bytes32 wanted = keccak256(bytes(terms.idTag));
        require(record.idTagHash == wanted, ChargeVault_ForeignRecord(record.idTagHash, wanted));
        page = record.page;
        uint64 pageAtOpen = opening.pageAtOpen;
        require(page > pageAtOpen, ChargeVault_OldPage(page, pageAtOpen));
        _checkPower(record.energyWh, ratedPowerW, block.timestamp - opening.openedAt);
        // Bounded by rated power and time, so it fits.
        return (uint64(record.energyWh), page);
    }

    /// @dev Returns what a gateway's reading proves of a session.
    function _proveByReading(
        bytes32 meterId,
        bytes32 sessionId,
        uint64 openedAt,
        Reading calldata reading,
        bytes calldata signature
    ) internal view returns (uint64 energyWh) {
        (uint64 beginWh, uint64 endWh, uint64 endedAt) = (reading.beginWh, reading.endWh, reading.endedAt);
        bytes32 digest =
            _hashTypedDataV4(keccak256(abi.encode(READING_TYPEHASH, sessionId, meterId, beginWh, endWh, endedAt)));
        uint256 ratedPowerW = _checkSigned(meterId, IMeterRegistry.Kind.Gateway, digest, signature);
        require(beginWh <= endWh, ChargeVault_Backwards(beginWh, endWh));
        require(
            openedAt <= endedAt && endedAt <= block.timestamp,
            ChargeVault_OutsideSession(endedAt, openedAt, block.timestamp)
        );
        energyWh = endWh - beginWh;
        _checkPower(energyWh, ratedPowerW, endedAt - openedAt);
    }

    /// @dev Checks that the meter is of the kind and has signed; returns its rated power. High s is
    /// accepted: replay is prevented by the session and the page, never by the signature.
    function _checkSigned(bytes32 meterId, IMeterRegistry.Kind wanted, bytes32 digest, bytes calldata signature)
        private
        view
        returns (uint256)
    {
        (address signer, IMeterRegistry.Kind kind, IMeterRegistry.Curve curve, uint256 ratedPowerW) =
            REGISTRY.speakerOf(meterId);
        require(kind == wanted, ChargeVault_WrongKind(meterId));
        bool isP256 = curve == IMeterRegistry.Curve.Secp256r1;
        require(
            signature.length == (isP256 ? P256_SIGNATURE_BYTES : K1_SIGNATURE_BYTES),
            ChargeVault_BadSignatureLength(signature.length)
        );
        address found = isP256 ? _p256Signer(digest, signature) : _k1Signer(digest, signature);
        require(found != address(0) && found == signer, ChargeVault_BadSignature(meterId));
        return ratedPowerW;
    }

    /// @dev Returns who signed on P-256, or zero: the signature brings its key, which must have made it.
    function _p256Signer(bytes32 digest, bytes calldata signature) private view returns (address) {
        (bool ok, bytes memory answer) = P256_VERIFY.staticcall(abi.encodePacked(digest, signature));
        if (!ok || answer.length != 32 || bytes32(answer) != bytes32(uint256(1))) {
            return address(0);
        }
        return address(uint160(uint256(keccak256(signature[64:]))));
    }

    /// @dev Returns who signed on secp256k1, or zero.
    function _k1Signer(bytes32 digest, bytes calldata signature) private pure returns (address) {
        return ecrecover(digest, uint8(signature[64]), bytes32(signature[0:32]), bytes32(signature[32:64]));
    }

    /// @dev Checks that the energy fits through the meter in the time.
    function _checkPower(uint256 energyWh, uint256 ratedPowerW, uint256 elapsedS) private pure {
        uint256 most = ratedPowerW * elapsedS * POWER_TOLERANCE_PERCENT / (3600 * 100);
        require(energyWh <= most, ChargeVault_AbovePower(energyWh, most));
    }
}
