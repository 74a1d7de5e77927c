// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IMeterRegistry} from "../../../src/interfaces/IMeterRegistry.sol";
import {Registry_Test} from "../../Registry.t.sol";

contract MeterRegistry_Revoke_Unit_Test is Registry_Test {
    function test_RevertWhen_TheCallerIsNoCalibrator() external {
        enrol();
        expectUnauthorized(stranger);
        vm.prank(stranger);
        registry.revoke(METER);
    }

    function test_RevertGiven_TheMeterIsNotEnrolled() external {
        vm.expectRevert(abi.encodeWithSelector(IMeterRegistry.MeterRegistry_NotEnrolled.selector, METER));
        revoke();
    }

    function test_RevertGiven_TheMeterWasRevoked() external {
        enrol();
        revoke();
        vm.expectRevert(abi.encodeWithSelector(IMeterRegistry.MeterRegistry_Revoked.selector, METER));
        revoke();
    }

    function test_GivenTheMeterSpeaks() external {
        enrol();
        vm.prank(admin);
        registry.assign(METER, stranger);
        vm.warp(FROM);
        registry.speakerOf(METER);
        vm.expectEmit(address(registry));
        emit IMeterRegistry.MeterRevoked(METER);
        revoke();
        assertMeter(METER, signerOf(X, Y), FROM, UNTIL);
        assertTraits(METER, STATION, R1, true);
        assertEq(registry.operatorOf(METER), address(0));
        vm.expectRevert(abi.encodeWithSelector(IMeterRegistry.MeterRegistry_NotValid.selector, METER));
        registry.speakerOf(METER);
    }
}
