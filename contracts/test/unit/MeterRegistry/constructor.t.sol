// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Registry_Test} from "../../Registry.t.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IMeterRegistry} from "../../../src/interfaces/IMeterRegistry.sol";

contract MeterRegistry_Constructor_Unit_Test is Registry_Test {
    function test_ItMakesTheAdministratorItsFirstCalibrator() external view {
        IAccessControl roles = IAccessControl(address(registry));
        assertTrue(roles.hasRole(bytes32(0), admin));
        assertTrue(roles.hasRole(CALIBRATOR_ROLE, admin));
        assertFalse(roles.hasRole(CALIBRATOR_ROLE, stranger));
        assertEq(roles.getRoleAdmin(CALIBRATOR_ROLE), bytes32(0));
    }

    function test_ItEnrolsNoMeter() external {
        vm.expectRevert(abi.encodeWithSelector(IMeterRegistry.MeterRegistry_NotValid.selector, METER));
        registry.speakerOf(METER);
    }
}
