// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IChargeVault} from "../../../../src/interfaces/IChargeVault.sol";
import {IMeterRegistry} from "../../../../src/interfaces/IMeterRegistry.sol";
import {Shapes} from "./Shapes.sol";
import {Signatures} from "./Signatures.sol";
import {Vm} from "forge-std/Vm.sol";

/// @title Meters
/// @notice Meters as they should be, and what a calibration authority does with them: they are
/// enrolled, get other keys, lose them, and change hands.
abstract contract Meters is Signatures {
    uint256 private constant METERS_MAX = 7;
    uint24 internal constant POWER_W = 22_000;

    /// @notice A meter: its key, its register and page, and what the vault should know of it.
    struct Meter {
        bytes32 id;
        IMeterRegistry.Kind kind;
        bool p256;
        bool revoked;
        uint256 key;
        address signer;
        uint256 oldKey;
        bool oldP256;
        uint32 validUntil;
        uint256 shape;
        uint64 register;
        uint64 page;
        address owner;
        address bound;
        uint256 earned;
        uint64 lastPage;
        uint256 billedWh;
    }

    Meter[] internal _meters;
    mapping(bytes32 meterId => uint256 index) internal _indexOf;
    uint256 private _keys;

    function meters() external view returns (uint256) {
        return _meters.length;
    }

    function meter(uint256 i) external view returns (Meter memory) {
        return _meters[i];
    }

    /// @dev Does one of the things that a calibrator does, mostly what takes no meter away.
    function calibrate(uint256 what, uint256 which, uint256 seed, bool p256) external onTime {
        what %= 12;
        if (what < 2) {
            _enrolAnother(which, p256, seed);
        } else if (what < 6) {
            _rotate(which, p256, seed, what == 2);
        } else if (what == 6) {
            _revoke(which);
        } else if (what < 10) {
            _assign(which, seed, p256);
        } else {
            _bind(_meters[which % _meters.length]);
        }
    }

    function collect(uint256 first, uint256 second) external onTime {
        bytes32[] memory ids = new bytes32[](2);
        (ids[0], ids[1]) = (_meters[first % _meters.length].id, _meters[second % _meters.length].id);
        _try(operator(first), abi.encodeCall(IChargeVault.collect, (ids)), Law.Strangers, "");
        for (uint256 i = 0; i < 2; ++i) {
            Meter storage its = _meters[_indexOf[ids[i]]];
            earned[its.bound] += its.earned;
            its.earned = 0;
        }
    }

    function _enrolAnother(uint256 kind, bool p256, uint256 days_) private {
        if (_meters.length == METERS_MAX) {
            (bytes32 x, bytes32 y) = _publicKey(_nextKey(), p256);
            bytes32 taken = _meters[kind % METERS_MAX].id;
            bytes memory again = abi.encodeCall(
                REGISTRY.enrol,
                (
                    taken,
                    IMeterRegistry.Kind.Station,
                    IMeterRegistry.Curve(p256 ? 1 : 0),
                    x,
                    y,
                    POWER_W,
                    0,
                    type(uint32).max
                )
            );
            return _refuseToCalibrate(
                again, abi.encodeWithSelector(IMeterRegistry.MeterRegistry_AlreadyEnrolled.selector, taken)
            );
        }
        _enrol(IMeterRegistry.Kind(kind % 8 == 0 ? 2 : kind % 3 == 0 ? 1 : 0), p256, _validUntil(days_), kind / 24);
    }

    /// @dev Gives a meter another key; never one that spoke before, nor if it was revoked.
    function _rotate(uint256 which, bool p256, uint256 days_, bool reuse) private {
        Meter storage its = _meters[which % _meters.length];
        uint256 key = reuse ? its.key : _nextKey();
        p256 = reuse ? its.p256 : p256;
        (bytes32 x, bytes32 y) = _publicKey(key, p256);
        uint32 until = _validUntil(days_);
        bytes memory rotating =
            abi.encodeCall(REGISTRY.rotate, (its.id, IMeterRegistry.Curve(p256 ? 1 : 0), x, y, 0, until));
        if (its.revoked) {
            return
                _refuseToCalibrate(
                    rotating, abi.encodeWithSelector(IMeterRegistry.MeterRegistry_Revoked.selector, its.id)
                );
        }
        if (reuse) {
            return _refuseToCalibrate(
                rotating, abi.encodeWithSelector(IMeterRegistry.MeterRegistry_KeyTaken.selector, its.signer, its.id)
            );
        }
        _calibrate(rotating);
        (its.oldKey, its.oldP256) = (its.key, its.p256);
        (its.key, its.p256, its.signer, its.validUntil) = (key, p256, _signerOf(x, y), until);
    }

    /// @dev Withdraws a meter's key, while others speak.
    function _revoke(uint256 which) private {
        Meter storage its = _meters[which % _meters.length];
        uint256 speaking = 0;
        for (uint256 i = 0; i < _meters.length; ++i) {
            speaking += _meters[i].revoked ? 0 : 1;
        }
        bytes memory revoking = abi.encodeCall(REGISTRY.revoke, (its.id));
        if (its.revoked) {
            _refuseToCalibrate(revoking, abi.encodeWithSelector(IMeterRegistry.MeterRegistry_Revoked.selector, its.id));
        } else if (speaking > 3) {
            _calibrate(revoking);
            its.revoked = true;
        }
    }

    /// @dev Says whose meter it is, and mostly tells the vault.
    function _assign(uint256 which, uint256 to, bool told) private {
        Meter storage its = _meters[which % _meters.length];
        bytes memory assigning = abi.encodeCall(REGISTRY.assign, (its.id, operator(to)));
        if (its.revoked) {
            return _refuseToCalibrate(
                assigning, abi.encodeWithSelector(IMeterRegistry.MeterRegistry_Revoked.selector, its.id)
            );
        }
        _calibrate(assigning);
        its.owner = operator(to);
        if (told) {
            _bind(its);
        }
    }

    /// @dev Enrols a meter of operator 0 and lets it earn.
    function _enrol(IMeterRegistry.Kind kind, bool p256, uint32 until, uint256 shape) internal {
        Meter storage its = _meters.push();
        uint256 key = _nextKey();
        (bytes32 x, bytes32 y) = _publicKey(key, p256);
        its.id = keccak256(abi.encode("meter", _meters.length));
        (its.kind, its.p256, its.key, its.signer) = (kind, p256, key, _signerOf(x, y));
        (its.oldKey, its.oldP256, its.validUntil, its.shape) = (_nextKey(), p256, until, shape % Shapes.COUNT);
        // Registers begin where all steps of them meet.
        (its.register, its.owner) = (12_300, operator(0));
        _indexOf[its.id] = _meters.length - 1;
        _calibrate(_enrolling(its, x, y));
        _calibrate(abi.encodeCall(REGISTRY.assign, (its.id, its.owner)));
        _bind(its);
    }

    /// @dev Returns the call that enrols a meter with a key.
    function _enrolling(Meter storage its, bytes32 x, bytes32 y) private view returns (bytes memory) {
        IMeterRegistry.Curve curve = IMeterRegistry.Curve(its.p256 ? 1 : 0);
        return abi.encodeCall(REGISTRY.enrol, (its.id, its.kind, curve, x, y, POWER_W, 0, its.validUntil));
    }

    /// @dev Brings whom a meter earns for up to date; what it had earned stays with who had it.
    function _bind(Meter storage its) private {
        _try(operator(1), abi.encodeCall(IChargeVault.bind, (its.id)), Law.Strangers, "");
        earned[its.bound] += its.earned;
        (its.earned, its.bound) = (0, its.revoked ? address(0) : its.owner);
    }

    /// @dev Some keys count for ever, others for some days.
    function _validUntil(uint256 days_) private view returns (uint32) {
        return days_ % 3 == 0 ? uint32(nowS + (1 + days_ % 5) * 1 days) : type(uint32).max;
    }

    function _nextKey() private returns (uint256) {
        return uint256(keccak256(abi.encode("key", ++_keys))) >> 8;
    }

    function _publicKey(uint256 key, bool p256) private returns (bytes32 x, bytes32 y) {
        if (p256) {
            (uint256 first, uint256 second) = VM.publicKeyP256(key);
            return (bytes32(first), bytes32(second));
        }
        Vm.Wallet memory wallet = VM.createWallet(key);
        return (bytes32(wallet.publicKeyX), bytes32(wallet.publicKeyY));
    }

    function _signerOf(bytes32 x, bytes32 y) private pure returns (address) {
        return address(uint160(uint256(keccak256(bytes.concat(x, y)))));
    }

    function _calibrate(bytes memory data) private {
        VM.prank(ADMIN);
        (bool done,) = address(REGISTRY).call(data);
        require(done, "the registry refused its calibrator");
    }

    function _refuseToCalibrate(bytes memory data, bytes memory why) private {
        VM.prank(ADMIN);
        (bool done, bytes memory answer) = address(REGISTRY).call(data);
        _check(Law.Keys, !done && keccak256(answer) == keccak256(why), "a key came back");
    }
}
