// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IMeterRegistry} from "../../../src/interfaces/IMeterRegistry.sol";
import {Registry_Test} from "../../Registry.t.sol";

contract MeterRegistry_MeterOf_Unit_Test is Registry_Test {
    function test_GivenTheMeterIsNotEnrolled() external view {
        assertMeter(METER, address(0), 0, 0);
        (, IMeterRegistry.Kind kind, IMeterRegistry.Curve curve, bool revoked, uint24 power,,) = registry.meterOf(METER);
        assertEq(uint256(kind) + uint256(curve) + power, 0);
        assertFalse(revoked);
    }

    function test_GivenTheMeterIsEnrolled() external {
        enrol();
        vm.warp(FROM - 1);
        assertMeter(METER, signerOf(X, Y), FROM, UNTIL);
        vm.warp(UNTIL);
        assertMeter(METER, signerOf(X, Y), FROM, UNTIL);
        assertTraits(METER, STATION, R1, false);
    }
}
