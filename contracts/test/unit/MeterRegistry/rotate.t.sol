// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IMeterRegistry} from "../../../src/interfaces/IMeterRegistry.sol";
import {Registry_Test} from "../../Registry.t.sol";

contract MeterRegistry_Rotate_Unit_Test is Registry_Test {
    bytes32 internal constant NEW_X = bytes32(uint256(9));

    function rotate(bytes32 x, bytes32 y) internal {
        vm.prank(admin);
        registry.rotate(METER, K1, x, y, FROM + 1, UNTIL + 1);
    }

    function expectTaken() internal {
        vm.expectRevert(abi.encodeWithSelector(IMeterRegistry.MeterRegistry_KeyTaken.selector, signerOf(X, Y), METER));
    }

    function test_RevertWhen_TheCallerIsNoCalibrator() external {
        enrol();
        expectUnauthorized(stranger);
        vm.prank(stranger);
        registry.rotate(METER, K1, NEW_X, Y, FROM, UNTIL);
    }

    function test_RevertGiven_TheMeterIsNotEnrolled() external {
        vm.expectRevert(abi.encodeWithSelector(IMeterRegistry.MeterRegistry_NotEnrolled.selector, METER));
        rotate(NEW_X, Y);
    }

    function test_RevertGiven_TheMeterWasRevoked() external {
        enrol();
        revoke();
        vm.expectRevert(abi.encodeWithSelector(IMeterRegistry.MeterRegistry_Revoked.selector, METER));
        rotate(NEW_X, Y);
    }

    function test_RevertWhen_TheNewKeyIsNoKey() external {
        enrol();
        vm.expectRevert(abi.encodeWithSelector(IMeterRegistry.MeterRegistry_BadMeter.selector, METER));
        rotate(NEW_X, 0);
    }

    function test_RevertWhen_TheNewKeyIsTheOneOfToday() external {
        enrol();
        expectTaken();
        rotate(X, Y);
    }

    function test_RevertWhen_TheNewKeySpokeForItBefore() external {
        enrol();
        rotate(NEW_X, Y);
        expectTaken();
        rotate(X, Y);
    }

    function test_WhenTheNewKeyIsNew() external {
        address owner = makeAddr("owner");
        enrol();
        vm.prank(admin);
        registry.assign(METER, owner);
        vm.expectEmit(address(registry));
        emit IMeterRegistry.MeterRotated(METER, signerOf(NEW_X, Y), K1, FROM + 1, UNTIL + 1, NEW_X, Y);
        rotate(NEW_X, Y);
        assertMeter(METER, signerOf(NEW_X, Y), FROM + 1, UNTIL + 1);
        assertTraits(METER, STATION, K1, false);
        assertEq(registry.operatorOf(METER), owner);
        vm.prank(admin);
        registry.rotate(METER, R1, NEW_X, NEW_X, FROM, UNTIL);
        assertTraits(METER, STATION, R1, false);
    }
}
