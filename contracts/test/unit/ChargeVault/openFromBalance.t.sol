// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vault_Test} from "../../Vault.t.sol";
import {IChargeVault} from "../../../src/interfaces/IChargeVault.sol";

contract ChargeVault_OpenFromBalance_Unit_Test is Vault_Test {
    function setUp() public override {
        super.setUp();
        stand(driver.addr, 0, 2 * DEPOSIT);
    }

    function attempt(IChargeVault.Terms memory terms) internal {
        vm.prank(driver.addr);
        vault.openFromBalance(terms, "");
    }

    function expectNotTheDriver(address found) internal {
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_NotTheDriver.selector, found, driver.addr));
    }

    function test_RevertWhen_NobodySigned() external {
        expectNotTheDriver(address(0));
        vault.openFromBalance(standing(1), "");
    }

    function test_RevertWhen_NobodySignedForNobody() external {
        IChargeVault.Terms memory terms = standing(1);
        terms.driver = address(0);
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_NotTheDriver.selector, address(0), address(0)));
        vault.openFromBalance(terms, "");
    }

    function test_RevertWhen_SomebodyElseSigned() external {
        bytes memory signature = sign(other.key, idOf(standing(1)));
        expectNotTheDriver(other.addr);
        vault.openFromBalance(standing(1), signature);
    }

    function test_RevertWhen_TheTermsAreNotThoseThatWereSigned() external {
        IChargeVault.Terms memory terms = standing(1);
        bytes memory signature = sign(driver.key, idOf(terms));
        terms.flatMicros += 1;
        vm.expectPartialRevert(IChargeVault.ChargeVault_NotTheDriver.selector);
        vault.openFromBalance(terms, signature);
    }

    function test_WhenTheDriverSigned() external {
        IChargeVault.Terms memory terms = standing(1);
        bytes memory signature = sign(driver.key, idOf(terms));
        vm.prank(stranger);
        assertEq(vault.openFromBalance(terms, signature), idOf(terms));
        assertPurse(driver.addr, 0, DEPOSIT, DEPOSIT);
    }

    function test_RevertWhen_TheSaltIsNotTheNumberOfTheNextSession() external {
        uint256[4] memory numbers = [uint256(0), 2, 1 << 24, uint256(keccak256("salt"))];
        for (uint256 i = 0; i < numbers.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_BadSalt.selector, bytes32(numbers[i])));
            attempt(standing(numbers[i]));
        }
        IChargeVault.Terms memory terms = standing(1);
        attempt(terms);
        close(terms, IChargeVault.Opening(uint64(START), 0, false), 1, 1 hours);
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_BadSalt.selector, terms.salt));
        attempt(terms);
        attempt(standing(2));
    }

    function test_RevertGiven_LessIsFreeThanTheDeposit() external {
        IChargeVault.Terms memory terms = standing(1);
        terms.depositMicros = 2 * DEPOSIT + 1;
        vm.expectRevert(
            abi.encodeWithSelector(
                IChargeVault.ChargeVault_Insufficient.selector, driver.addr, 2 * DEPOSIT, 2 * DEPOSIT + 1
            )
        );
        attempt(terms);
        terms.depositMicros -= 1;
        attempt(terms);
        assertPurse(driver.addr, 0, 0, 2 * DEPOSIT);
    }

    function test_RevertGiven_ASessionRunsInThePurse() external {
        attempt(standing(1));
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_PurseInUse.selector, driver.addr, 0));
        attempt(standing(2));
    }

    function test_RevertWhen_NothingIsDeposited() external {
        IChargeVault.Terms memory terms = standing(1);
        terms.depositMicros = 0;
        vm.expectRevert(IChargeVault.ChargeVault_NoDeposit.selector);
        attempt(terms);
    }

    function test_RevertWhen_TheTermsCarryNoIdTag() external {
        IChargeVault.Terms memory terms = standing(1);
        terms.idTag = "";
        vm.expectRevert(IChargeVault.ChargeVault_Unbindable.selector);
        attempt(terms);
    }

    function test_RevertWhen_TheDeadlineIsNotInTheFuture() external {
        IChargeVault.Terms memory terms = standing(1);
        vm.warp(terms.deadline);
        vm.expectRevert(
            abi.encodeWithSelector(IChargeVault.ChargeVault_DeadlinePassed.selector, terms.deadline, terms.deadline)
        );
        attempt(terms);
    }

    function test_RevertGiven_TheMeterEarnsForSomebodyElse() external {
        IChargeVault.Terms memory terms = standing(1);
        terms.operator = stranger;
        vm.expectRevert(
            abi.encodeWithSelector(IChargeVault.ChargeVault_NotTheOperator.selector, STATION, stranger, operator)
        );
        attempt(terms);
    }

    function test_WhenTheDriverSendsIt() external {
        IChargeVault.Terms memory terms = standing(1);
        vm.expectEmit(address(vault));
        emit IChargeVault.SessionOpened(idOf(terms), driver.addr, operator, 0, STATION, DEPOSIT, 0, false);
        attempt(terms);
        assertPurse(driver.addr, 0, DEPOSIT, DEPOSIT);
        assertEq(token.balanceOf(address(vault)), 2 * DEPOSIT);
        assertTrue(vault.isOpen(terms, IChargeVault.Opening(uint64(START), 0, false)));
        assertFalse(vault.isOpen(terms, IChargeVault.Opening(uint64(START), 0, true)));
    }
}
