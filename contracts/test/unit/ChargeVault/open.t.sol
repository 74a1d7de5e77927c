// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HostileEuro} from "../../tokens/HostileEuro.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IVault} from "../../IVault.sol";
import {Vault_Test} from "../../Vault.t.sol";
import {IChargeVault} from "../../../src/interfaces/IChargeVault.sol";

contract ChargeVault_Open_Unit_Test is Vault_Test {
    function attempt(IChargeVault.Terms memory terms) internal {
        vault.open(terms, consent(driver, terms.depositMicros, idOf(terms)));
    }

    function setUp() public override {
        super.setUp();
        give(driver.addr, 2 * DEPOSIT);
    }

    function test_RevertWhen_TheSaltIsOneForAStandingBalance() external {
        IChargeVault.Terms memory terms = standing(1 << 24);
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_BadSalt.selector, terms.salt));
        attempt(terms);
        terms.salt = bytes32(uint256((1 << 24) + 1));
        attempt(terms);
        assertEq(vault.openedOf(driver.addr, 0), 1);
    }

    function test_RevertGiven_ASessionRunsInThePurse() external {
        IChargeVault.Terms memory terms = plain();
        terms.purse = 3;
        attempt(terms);
        terms.salt = keccak256("another");
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_PurseInUse.selector, driver.addr, 3));
        attempt(terms);
    }

    function test_RevertWhen_NothingIsDeposited() external {
        IChargeVault.Terms memory terms = plain();
        terms.depositMicros = 0;
        vm.expectRevert(IChargeVault.ChargeVault_NoDeposit.selector);
        attempt(terms);
    }

    function test_RevertWhen_TheTermsCarryNoIdTag() external {
        IChargeVault.Terms memory terms = plain();
        terms.idTag = "";
        vm.expectRevert(IChargeVault.ChargeVault_Unbindable.selector);
        attempt(terms);
    }

    function test_RevertWhen_TheDeadlineIsNotInTheFuture() external {
        IChargeVault.Terms memory terms = plain();
        terms.deadline = uint64(START);
        vm.expectRevert(abi.encodeWithSelector(IChargeVault.ChargeVault_DeadlinePassed.selector, START, START));
        attempt(terms);
        terms.deadline = uint64(START + 1);
        attempt(terms);
    }

    function test_RevertGiven_TheMeterIsBoundToNobody() external {
        IChargeVault.Terms memory terms = termsAt(keccak256("nobody's"));
        vm.expectRevert(
            abi.encodeWithSelector(
                IChargeVault.ChargeVault_NotTheOperator.selector, terms.meterId, operator, address(0)
            )
        );
        attempt(terms);
        terms.operator = address(0);
        vm.expectRevert(
            abi.encodeWithSelector(
                IChargeVault.ChargeVault_NotTheOperator.selector, terms.meterId, address(0), address(0)
            )
        );
        attempt(terms);
    }

    function test_RevertGiven_TheMeterEarnsForSomebodyElse() external {
        IChargeVault.Terms memory terms = plain();
        terms.operator = stranger;
        vm.expectRevert(
            abi.encodeWithSelector(IChargeVault.ChargeVault_NotTheOperator.selector, STATION, stranger, operator)
        );
        attempt(terms);
    }

    function test_RevertWhen_TheDepositIsMoreThanAPurseHolds() external {
        IChargeVault.Terms memory terms = plain();
        terms.depositMicros = type(uint40).max;
        give(driver.addr, type(uint40).max);
        stand(driver.addr, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(IVault.Purse_Full.selector, uint256(type(uint40).max) + 1));
        attempt(terms);
        terms.depositMicros -= 1;
        attempt(terms);
        assertPurse(driver.addr, 0, 1, type(uint40).max - 1);
    }

    function test_RevertWhen_TheTermsAreNotThoseThatWereSigned() external {
        IChargeVault.Terms memory terms = plain();
        IChargeVault.Authorization memory signed = consent(driver, DEPOSIT, idOf(terms));
        terms.priceMicrosPerKwh += 1;
        vm.expectRevert(ERC3009.ERC3009InvalidSignature.selector);
        vault.open(terms, signed);
    }

    function test_RevertWhen_SomebodyElseSigned() external {
        IChargeVault.Terms memory terms = plain();
        IChargeVault.Authorization memory signed = consent(other, DEPOSIT, idOf(terms));
        vm.expectRevert(ERC3009.ERC3009InvalidSignature.selector);
        vault.open(terms, signed);
    }

    function test_RevertGiven_TheTermsWereOpenedBefore() external {
        IChargeVault.Terms memory terms = plain();
        attempt(terms);
        close(terms, IChargeVault.Opening(uint64(START), 0, true), 1, 1 hours);
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, driver.addr, idOf(terms)));
        attempt(terms);
    }

    function test_RevertGiven_TheDriverHasTooLittle() external {
        IChargeVault.Terms memory terms = plain();
        terms.depositMicros = 2 * DEPOSIT + 1;
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientBalance.selector, driver.addr, 2 * DEPOSIT, 2 * DEPOSIT + 1
            )
        );
        attempt(terms);
    }

    function test_RevertGiven_TheTokenKeepsAFee() external {
        IChargeVault.Terms memory terms = plain();
        token.setMood(HostileEuro.Mood.Charging);
        vm.expectRevert(
            abi.encodeWithSelector(IChargeVault.ChargeVault_TokenShort.selector, DEPOSIT - DEPOSIT / 100, DEPOSIT)
        );
        attempt(terms);
    }

    function test_GivenTheTokenCallsBack() external {
        IChargeVault.Terms memory terms = plain();
        IChargeVault.Terms memory second = plain();
        (second.purse, second.salt) = (1, keccak256("second"));
        IChargeVault.Authorization memory signed = consent(driver, DEPOSIT, idOf(second));
        token.arm(address(vault), abi.encodeCall(IChargeVault.open, (second, signed)));
        attempt(terms);
        assertFalse(token.wasLetIn());
        assertEq(bytes4(token.answer()), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        assertPurse(driver.addr, 0, 0, DEPOSIT);
        assertPurse(driver.addr, 1, 0, 0);
    }

    function testFuzz_WhenAllIsInOrder(uint32 purse, uint40 deposit, address sender) external {
        IChargeVault.Terms memory terms = plain();
        terms.purse = purse;
        terms.depositMicros = uint64(bound(deposit, 1, 2 * DEPOSIT));
        bytes32 sessionId = idOf(terms);
        IChargeVault.Authorization memory signed = consent(driver, terms.depositMicros, sessionId);
        vm.expectEmit(address(vault));
        emit IChargeVault.SessionOpened(sessionId, driver.addr, operator, purse, STATION, terms.depositMicros, 0, true);
        expectTransfer(driver.addr, address(vault), terms.depositMicros);
        vm.prank(sender);
        assertEq(vault.open(terms, signed), sessionId);
        assertPurse(driver.addr, purse, 0, terms.depositMicros);
        assertEq(vault.openedOf(driver.addr, purse), 1);
        assertTrue(vault.isOpen(terms, IChargeVault.Opening(uint64(START), 0, true)));
        assertEq(token.balanceOf(address(vault)), terms.depositMicros);
        assertEq(token.balanceOf(driver.addr), 2 * DEPOSIT - terms.depositMicros);
        assertTrue(token.authorizationState(driver.addr, sessionId));
    }
}
