// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base_Test} from "../Base.t.sol";
import {EnergyEuroHandler} from "./handlers/EnergyEuroHandler.sol";

contract EnergyEuro_Invariant_Test is Base_Test {
    EnergyEuroHandler internal handler;

    function setUp() public override {
        super.setUp();
        handler = new EnergyEuroHandler(euro, admin);
        targetContract(address(handler));
    }

    function invariant_1_SupplyIsTheSumOfBalances() external view {
        assertEq(euro.totalSupply(), handler.sumOfBalances());
    }

    function invariant_2_SupplyIsWhatWasMade() external view {
        assertEq(euro.totalSupply(), handler.made());
    }

    function invariant_3_AuthorizationsAreSpentOnce() external view {
        assertEq(handler.spentAgain(), 0);
    }
}
