// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Registry_Test} from "../../Registry.t.sol";

contract MeterRegistry_OperatorOf_Unit_Test is Registry_Test {
    function test_GivenNobodyWasAssigned() external {
        assertEq(registry.operatorOf(METER), address(0));
        enrol();
        assertEq(registry.operatorOf(METER), address(0));
    }

    function test_GivenSomebodyWasAssigned() external {
        enrol();
        vm.prank(admin);
        registry.assign(METER, stranger);
        assertEq(registry.operatorOf(METER), stranger);
        vm.warp(UNTIL);
        assertEq(registry.operatorOf(METER), stranger);
    }

    function test_GivenTheMeterWasRevoked() external {
        enrol();
        vm.prank(admin);
        registry.assign(METER, stranger);
        revoke();
        assertEq(registry.operatorOf(METER), address(0));
    }
}
