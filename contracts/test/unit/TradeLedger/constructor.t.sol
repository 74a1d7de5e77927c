// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITradeLedger} from "../../../src/interfaces/ITradeLedger.sol";
import {Trading_Test} from "../../Trading.t.sol";

contract TradeLedger_Constructor_Unit_Test is Trading_Test {
    function refuses(uint64 length) internal {
        bytes memory code = vm.getCode(artifactOf("TradeLedger"));
        code = abi.encodePacked(code, abi.encode(euro, length, 0, admin));
        // A creation that succeeds is no call that did not revert, so what was made is looked at too.
        address made;
        bytes memory said = new bytes(36);
        assembly ("memory-safe") {
            made := create(0, add(code, 0x20), mload(code))
            if eq(returndatasize(), 36) { returndatacopy(add(said, 0x20), 0, 36) }
        }
        assertEq(made, address(0));
        assertEq(said, abi.encodeWithSelector(ITradeLedger.TradeLedger_BadIntervalLength.selector, length));
    }

    function test_RevertWhen_TheIntervalLengthIsZero() external {
        refuses(0);
    }

    function test_RevertWhen_TheIntervalLengthDoesNotDivideAnHourAndIsNoDay() external {
        refuses(7);
        refuses(899);
        refuses(3601);
        refuses(7200);
        refuses(172800);
    }

    function test_WhenTheIntervalLengthDividesAnHourOrIsADay() external {
        ledger = deployed(300, 7);
        assertEq(address(ledger.TOKEN()), address(euro));
        assertEq(ledger.INTERVAL_LENGTH(), 300);
        assertEq(ledger.MINIMUM_BOND(), 7);
        assertEq(ledger.RUNS_KEPT(), 4032);
        assertEq(deployed(1, 0).RUNS_KEPT(), 336 * 3600);
        assertEq(deployed(3600, 0).RUNS_KEPT(), 336);
        assertEq(deployed(86400, 0).RUNS_KEPT(), 336);
        bytes32[3] memory roles = [ledger.DEFAULT_ADMIN_ROLE(), ledger.SETTLER_ROLE(), ledger.GUARDIAN_ROLE()];
        for (uint256 i = 0; i < 3; ++i) {
            assertTrue(ledger.hasRole(roles[i], admin));
            assertFalse(ledger.hasRole(roles[i], address(this)));
        }
        assertEq(ledger.SETTLER_ROLE(), keccak256("SETTLER_ROLE"));
        assertEq(ledger.GUARDIAN_ROLE(), keccak256("GUARDIAN_ROLE"));
        assertEq(ledger.accounts(), 0);
        assertEq(ledger.lastRun(), 0);
    }
}
