// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IMeterRegistry} from "../../../src/interfaces/IMeterRegistry.sol";
import {Registry_Test} from "../../Registry.t.sol";

contract MeterRegistry_SpeakerOf_Unit_Test is Registry_Test {
    function expectNotValid() internal {
        vm.expectRevert(abi.encodeWithSelector(IMeterRegistry.MeterRegistry_NotValid.selector, METER));
        registry.speakerOf(METER);
    }

    function assertSpeaks() internal view {
        (address signer, IMeterRegistry.Kind kind, IMeterRegistry.Curve curve, uint256 power) =
            registry.speakerOf(METER);
        assertEq(signer, signerOf(X, Y));
        assertEq(uint8(kind), uint8(FEEDER_HEAD));
        assertEq(uint8(curve), uint8(R1));
        assertEq(power, POWER_W);
    }

    function test_RevertGiven_TheMeterIsNotEnrolled() external {
        expectNotValid();
    }

    function test_RevertGiven_TheMeterWasRevoked() external {
        enrol();
        revoke();
        vm.warp(FROM);
        expectNotValid();
    }

    function test_RevertWhen_TheValidityHasNotBegun() external {
        enrol();
        vm.warp(FROM - 1);
        expectNotValid();
    }

    function test_RevertWhen_TheValidityIsOver() external {
        enrol();
        vm.warp(UNTIL);
        expectNotValid();
    }

    function test_WhenTheValidityRuns() external {
        vm.prank(admin);
        registry.enrol(METER, FEEDER_HEAD, R1, X, Y, POWER_W, FROM, UNTIL);
        vm.warp(FROM);
        assertSpeaks();
        vm.warp(UNTIL - 1);
        assertSpeaks();
    }
}
