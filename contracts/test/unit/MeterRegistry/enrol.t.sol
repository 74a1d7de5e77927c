// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IMeterRegistry} from "../../../src/interfaces/IMeterRegistry.sol";
import {Registry_Test} from "../../Registry.t.sol";

contract MeterRegistry_Enrol_Unit_Test is Registry_Test {
    bytes32 internal constant OTHER = keccak256("another");

    function expectBad(bytes32 meterId) internal {
        vm.expectRevert(abi.encodeWithSelector(IMeterRegistry.MeterRegistry_BadMeter.selector, meterId));
        vm.prank(admin);
    }

    function test_RevertWhen_TheCallerIsNoCalibrator() external {
        expectUnauthorized(stranger);
        vm.prank(stranger);
        registry.enrol(METER, STATION, R1, X, Y, POWER_W, FROM, UNTIL);
    }

    function test_RevertGiven_TheMeterIsEnrolled() external {
        enrol();
        vm.expectRevert(abi.encodeWithSelector(IMeterRegistry.MeterRegistry_AlreadyEnrolled.selector, METER));
        vm.prank(admin);
        registry.enrol(METER, STATION, R1, Y, X, POWER_W, FROM, UNTIL);
    }

    function test_RevertGiven_TheMeterWasRevoked() external {
        enrol();
        revoke();
        vm.expectRevert(abi.encodeWithSelector(IMeterRegistry.MeterRegistry_AlreadyEnrolled.selector, METER));
        vm.prank(admin);
        registry.enrol(METER, STATION, R1, Y, X, POWER_W, FROM, UNTIL);
    }

    function test_RevertWhen_TheIdIsZero() external {
        expectBad(0);
        registry.enrol(0, STATION, R1, X, Y, POWER_W, FROM, UNTIL);
    }

    function test_RevertWhen_ThePowerIsZero() external {
        expectBad(METER);
        registry.enrol(METER, STATION, R1, X, Y, 0, FROM, UNTIL);
    }

    function test_RevertWhen_ACoordinateOfTheKeyIsZero() external {
        expectBad(METER);
        registry.enrol(METER, STATION, R1, 0, Y, POWER_W, FROM, UNTIL);
        expectBad(METER);
        registry.enrol(METER, STATION, R1, X, 0, POWER_W, FROM, UNTIL);
    }

    function test_RevertWhen_TheValidityIsEmpty() external {
        expectBad(METER);
        registry.enrol(METER, STATION, R1, X, Y, POWER_W, FROM, FROM);
        expectBad(METER);
        registry.enrol(METER, STATION, R1, X, Y, POWER_W, FROM, FROM - 1);
        expectBad(METER);
        registry.enrol(METER, STATION, R1, X, Y, POWER_W, 0, 0);
    }

    function test_RevertGiven_TheKeySpeaksForAnotherMeter() external {
        enrol();
        vm.expectRevert(abi.encodeWithSelector(IMeterRegistry.MeterRegistry_KeyTaken.selector, signerOf(X, Y), METER));
        vm.prank(admin);
        registry.enrol(OTHER, GATEWAY, K1, X, Y, POWER_W, FROM, UNTIL);
    }

    function testFuzz_WhenAllIsInOrder(uint8 kind, bool onK1, uint32 from, uint32 until) external {
        IMeterRegistry.Kind itsKind = IMeterRegistry.Kind(kind % 3);
        IMeterRegistry.Curve curve = onK1 ? K1 : R1;
        until = uint32(bound(until, 1, type(uint32).max));
        from = uint32(bound(from, 0, until - 1));
        vm.expectEmit(address(registry));
        emit IMeterRegistry.MeterEnrolled(METER, signerOf(X, Y), itsKind, curve, POWER_W, from, until, X, Y);
        vm.prank(admin);
        registry.enrol(METER, itsKind, curve, X, Y, POWER_W, from, until);
        assertMeter(METER, signerOf(X, Y), from, until);
        assertTraits(METER, itsKind, curve, false);
        assertEq(registry.operatorOf(METER), address(0));
    }
}
