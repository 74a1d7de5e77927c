// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HostileEuro} from "../tokens/HostileEuro.sol";
import {Vault_Test} from "../Vault.t.sol";
import {Books} from "./handlers/vault/Books.sol";
import {Meters} from "./handlers/vault/Meters.sol";
import {ChargeVaultHandler} from "./handlers/ChargeVaultHandler.sol";

/// @dev Fewer walks than elsewhere: most calls sign, on one curve or the other, and ten laws are walked.
/// forge-config: default.invariant.runs = 60
/// forge-config: mutants.invariant.runs = 4
contract ChargeVault_Invariant_Test is Vault_Test {
    ChargeVaultHandler internal handler;

    function setUp() public override {
        super.setUp();
        handler = new ChargeVaultHandler(token, registry, vault, admin, uint64(START));
        targetContract(address(handler));
    }

    function assertKept(Books.Law law) internal view {
        assertEq(handler.broken(law), 0, handler.breach());
    }

    /// @dev Returns all that the vault says is somebody's.
    function sumOfClaims() internal view returns (uint256 sum) {
        for (uint256 i = 0; i < handler.DRIVERS(); ++i) {
            for (uint32 purse = 0; purse < handler.PURSES(); ++purse) {
                sum += vault.freeOf(handler.driver(i), purse);
                sum += vault.depositOf(handler.driver(i), purse);
            }
            sum += vault.earnedOf(handler.driver(i));
        }
        for (uint256 i = 0; i < handler.OPERATORS(); ++i) {
            sum += vault.earnedOf(handler.operator(i));
        }
        for (uint256 i = 0; i < handler.meters(); ++i) {
            sum += vault.stationEarned(handler.meter(i).id);
        }
        sum += vault.earnedOf(address(0));
    }

    function invariant_14_TokensAreFreeHeldAndEarned() external view {
        assertEq(token.balanceOf(address(vault)), sumOfClaims() + handler.donated());
    }

    function invariant_15_EverybodyHasWhatTheirOwnCallsMade() external view {
        for (uint256 i = 0; i < handler.DRIVERS(); ++i) {
            address who = handler.driver(i);
            for (uint32 purse = 0; purse < handler.PURSES(); ++purse) {
                (uint64 free, uint64 held, uint32 opened,) = handler.holdings(who, purse);
                assertPurse(who, purse, free, held);
                assertEq(vault.openedOf(who, purse), opened);
            }
            assertEq(token.balanceOf(who), handler.wallets(who));
            assertEq(token.balanceOf(handler.haven(who)), handler.wallets(handler.haven(who)));
        }
        for (uint256 i = 0; i < handler.OPERATORS(); ++i) {
            address who = handler.operator(i);
            assertEq(vault.earnedOf(who), handler.earned(who));
            assertEq(token.balanceOf(who), handler.wallets(who));
        }
        for (uint256 i = 0; i < handler.meters(); ++i) {
            Meters.Meter memory meter = handler.meter(i);
            assertEq(vault.stationEarned(meter.id), meter.earned);
            assertEq(vault.operatorOf(meter.id), meter.bound);
        }
        assertKept(Books.Law.Strangers);
    }

    function invariant_16_NobodyIsChargedMoreThanPriceOrDeposit() external view {
        assertKept(Books.Law.Charges);
    }

    function invariant_17_ARecordMovesMoneyOnce() external view {
        for (uint256 i = 0; i < handler.meters(); ++i) {
            Meters.Meter memory meter = handler.meter(i);
            assertEq(vault.lastPageOf(meter.id), meter.lastPage);
        }
        assertKept(Books.Law.Records);
    }

    function invariant_18_ASessionEndsOnce() external view {
        for (uint256 i = 0; i < handler.sessions(); ++i) {
            Books.Session memory session = handler.session(i);
            assertEq(vault.isOpen(session.terms, session.opening), !session.ended);
        }
        assertKept(Books.Law.Ends);
    }

    function invariant_19_TheDeadlineGivesTheWholeDepositBack() external view {
        assertKept(Books.Law.Deadlines);
    }

    function invariant_20_WhomTheTokenRefusesHoldsUpNobodyAndLosesNothing() external view {
        assertKept(Books.Law.Refusals);
    }

    function invariant_21_EnergyCountsOnce() external view {
        for (uint256 i = 0; i < handler.meters(); ++i) {
            Meters.Meter memory meter = handler.meter(i);
            assertLe(meter.billedWh * 10, meter.register);
        }
        assertKept(Books.Law.Energy);
    }

    function invariant_22_AKeyThatSpeaksNoMoreMovesNothing() external view {
        assertKept(Books.Law.Keys);
    }

    function invariant_23_OnlyItsDriverOpensASessionAndOnce() external view {
        assertKept(Books.Law.Openings);
    }

    /// @dev Laws 15, 19 and 20, in the end: whatever has happened, when every meter is revoked and
    /// every deadline has passed everybody leaves with all that is theirs, also whom the token refuses.
    function afterInvariant() external {
        if (token.mood() != HostileEuro.Mood.Blocking) token.setMood(HostileEuro.Mood.Honest);
        vm.warp(uint256(handler.nowS()) + 4 days);
        bytes32[] memory ids = new bytes32[](handler.meters());
        for (uint256 i = 0; i < ids.length; ++i) {
            ids[i] = handler.meter(i).id;
            if (!handler.meter(i).revoked) revoke(ids[i]);
        }
        for (uint256 i = 0; i < handler.sessions(); ++i) {
            Books.Session memory session = handler.session(i);
            if (!session.ended) vault.expire(session.terms, session.opening);
        }
        vault.collect(ids);
        for (uint256 i = 0; i < handler.DRIVERS(); ++i) {
            driverLeaves(handler.driver(i));
        }
        for (uint256 i = 0; i < handler.OPERATORS(); ++i) {
            operatorLeaves(handler.operator(i));
        }
        assertEq(sumOfClaims(), 0);
        assertEq(token.balanceOf(address(vault)), handler.donated());
    }

    function driverLeaves(address who) internal {
        address haven = handler.haven(who);
        uint256 due = handler.wallets(who) + handler.wallets(haven);
        for (uint32 purse = 0; purse < handler.PURSES(); ++purse) {
            (uint64 free, uint64 held,,) = handler.holdings(who, purse);
            due += uint256(free) + held;
            uint64 left = vault.freeOf(who, purse);
            vm.prank(who);
            vault.withdraw(purse, haven, left);
        }
        assertEq(token.balanceOf(who) + token.balanceOf(haven), due);
    }

    function operatorLeaves(address who) internal {
        address haven = handler.haven(who);
        uint256 due = handler.earned(who) + handler.wallets(haven);
        for (uint256 i = 0; i < handler.meters(); ++i) {
            Meters.Meter memory meter = handler.meter(i);
            due += meter.bound == who ? meter.earned : 0;
        }
        uint64 left = vault.earnedOf(who);
        vm.prank(who);
        vault.withdrawEarned(haven, left);
        assertEq(token.balanceOf(haven), due);
    }
}
