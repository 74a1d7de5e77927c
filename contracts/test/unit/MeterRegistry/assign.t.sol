// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IMeterRegistry} from "../../../src/interfaces/IMeterRegistry.sol";
import {Registry_Test} from "../../Registry.t.sol";

contract MeterRegistry_Assign_Unit_Test is Registry_Test {
    function assign(address operator) internal {
        vm.prank(admin);
        registry.assign(METER, operator);
    }

    function test_RevertWhen_TheCallerIsNoCalibrator() external {
        enrol();
        expectUnauthorized(stranger);
        vm.prank(stranger);
        registry.assign(METER, stranger);
    }

    function test_RevertGiven_TheMeterIsNotEnrolled() external {
        vm.expectRevert(abi.encodeWithSelector(IMeterRegistry.MeterRegistry_NotEnrolled.selector, METER));
        assign(stranger);
    }

    function test_RevertGiven_TheMeterWasRevoked() external {
        enrol();
        revoke();
        vm.expectRevert(abi.encodeWithSelector(IMeterRegistry.MeterRegistry_Revoked.selector, METER));
        assign(stranger);
    }

    function test_GivenTheMeterSpeaks() external {
        enrol();
        vm.expectEmit(address(registry));
        emit IMeterRegistry.OperatorAssigned(METER, stranger);
        assign(stranger);
        assertEq(registry.operatorOf(METER), stranger);
        assign(address(0));
        assertEq(registry.operatorOf(METER), address(0));
    }
}
