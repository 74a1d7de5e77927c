// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base_Test} from "./Base.t.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IMeterRegistry} from "../src/interfaces/IMeterRegistry.sol";

/// @title Registry_Test
/// @notice A registry of meters, fetched as it ships, and one meter of the right form.
abstract contract Registry_Test is Base_Test {
    bytes32 internal constant CALIBRATOR_ROLE = keccak256("CALIBRATOR_ROLE");
    bytes32 internal constant METER = keccak256("serial number");
    bytes32 internal constant X = bytes32(uint256(7));
    bytes32 internal constant Y = bytes32(uint256(8));
    uint24 internal constant POWER_W = 22_000;
    uint32 internal constant FROM = 1_760_400_000;
    uint32 internal constant UNTIL = 1_860_400_000;

    IMeterRegistry.Kind internal constant STATION = IMeterRegistry.Kind.Station;
    IMeterRegistry.Kind internal constant GATEWAY = IMeterRegistry.Kind.Gateway;
    IMeterRegistry.Kind internal constant FEEDER_HEAD = IMeterRegistry.Kind.FeederHead;
    IMeterRegistry.Curve internal constant K1 = IMeterRegistry.Curve.Secp256k1;
    IMeterRegistry.Curve internal constant R1 = IMeterRegistry.Curve.Secp256r1;

    IMeterRegistry internal registry;

    function setUp() public virtual override {
        registry = IMeterRegistry(deployShipped("MeterRegistry", abi.encode(admin)));
    }

    function signerOf(bytes32 x, bytes32 y) internal pure returns (address) {
        return address(uint160(uint256(keccak256(bytes.concat(x, y)))));
    }

    function enrol() internal {
        vm.prank(admin);
        registry.enrol(METER, STATION, R1, X, Y, POWER_W, FROM, UNTIL);
    }

    function revoke() internal {
        vm.prank(admin);
        registry.revoke(METER);
    }

    function expectUnauthorized(address who) internal {
        vm.expectRevert(
            abi.encodeWithSelector(IAccessControl.AccessControlUnauthorizedAccount.selector, who, CALIBRATOR_ROLE)
        );
    }

    function assertMeter(bytes32 meterId, address signer, uint32 from, uint32 until) internal view {
        (address found,,,,, uint32 validFrom, uint32 validUntil) = registry.meterOf(meterId);
        assertEq(found, signer);
        assertEq(validFrom, from);
        assertEq(validUntil, until);
    }

    function assertTraits(bytes32 meterId, IMeterRegistry.Kind kind, IMeterRegistry.Curve curve, bool revoked)
        internal
        view
    {
        (, IMeterRegistry.Kind itsKind, IMeterRegistry.Curve itsCurve, bool wasRevoked, uint24 power,,) =
            registry.meterOf(meterId);
        assertEq(uint8(itsKind), uint8(kind));
        assertEq(uint8(itsCurve), uint8(curve));
        assertEq(wasRevoked, revoked);
        assertEq(power, POWER_W);
    }
}
