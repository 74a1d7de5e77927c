// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IChargeVault} from "../interfaces/IChargeVault.sol";
import {IERC3009Token} from "../interfaces/IERC3009Token.sol";
import {Purse} from "../types/Purse.sol";

/// @title Purses
/// @notice The money side of the {IChargeVault}: drivers' purses.
/// @dev The vault's tokens are, always, at least the sum of all free money, deposits and earnings.
/// What somebody sends without a deposit belongs to nobody and is never counted.
abstract contract Purses is IChargeVault, ReentrancyGuardTransient {
    using SafeERC20 for IERC3009Token;

    /// @notice Token of all money.
    IERC3009Token public immutable TOKEN;

    mapping(uint256 key => Purse purse) internal _purses;

    /// @param token Vetted token of 6 decimals with ERC-3009.
    constructor(IERC3009Token token) {
        TOKEN = token;
    }

    /// @inheritdoc IChargeVault
    function deposit(address driver, uint32 purse, uint64 amountMicros) public nonReentrant {
        // Check: something comes.
        require(amountMicros != 0, ChargeVault_NoDeposit());

        // Effect: it is the driver's.
        uint256 key = _key(driver, purse);
        _purses[key] = _purses[key].addFree(amountMicros);

        // Interaction: exactly this amount comes.
        uint256 before = TOKEN.balanceOf(address(this));
        TOKEN.safeTransferFrom(msg.sender, address(this), amountMicros);
        _checkReceived(before, amountMicros);

        // Log.
        emit Deposited(driver, purse, amountMicros);
    }

    /// @inheritdoc IChargeVault
    function depositWithPermit(uint32 purse, uint64 amountMicros, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
    {
        // Somebody may have brought the permit already; then the allowance is there, and counts.
        try IERC20Permit(address(TOKEN)).permit(msg.sender, address(this), amountMicros, deadline, v, r, s) {} catch {}
        deposit(msg.sender, purse, amountMicros);
    }

    /// @inheritdoc IChargeVault
    function withdraw(uint32 purse, address to, uint64 amountMicros) external nonReentrant {
        // Check: it is there.
        uint256 key = _key(msg.sender, purse);
        Purse held = _purses[key];
        require(amountMicros <= held.free(), ChargeVault_Insufficient(msg.sender, held.free(), amountMicros));

        // Effect.
        _purses[key] = held.takeFree(amountMicros);

        // Interaction, log.
        TOKEN.safeTransfer(to, amountMicros);
        emit Withdrawn(msg.sender, purse, to, amountMicros);
    }

    /// @inheritdoc IChargeVault
    function freeOf(address driver, uint32 purse) external view returns (uint64) {
        return _purses[_key(driver, purse)].free();
    }

    /// @inheritdoc IChargeVault
    function depositOf(address driver, uint32 purse) external view returns (uint64) {
        return _purses[_key(driver, purse)].deposit();
    }

    /// @inheritdoc IChargeVault
    function openedOf(address driver, uint32 purse) external view returns (uint32) {
        return uint32(_purses[_key(driver, purse)].opened());
    }

    /// @dev Pulls money from a driver's wallet, whose one signature covers `nonce` too.
    function _pull(address driver, uint64 amountMicros, bytes32 nonce, Authorization calldata authorization) internal {
        uint256 before = TOKEN.balanceOf(address(this));
        TOKEN.receiveWithAuthorization(
            driver,
            address(this),
            amountMicros,
            authorization.validAfter,
            authorization.validBefore,
            nonce,
            authorization.v,
            authorization.r,
            authorization.s
        );
        _checkReceived(before, amountMicros);
    }

    /// @dev Ends the session of a purse, whose state this is, and gives money back: to the wallet that
    /// the deposit came from, or as free money; also if the token refuses, so that a blocked driver
    /// never blocks a station. Returns whether it was pushed.
    function _end(address driver, uint256 key, Purse purse, uint64 refundMicros, bool fromWallet)
        internal
        returns (bool pushed)
    {
        purse = purse.end();
        if (!fromWallet) {
            // Effect: it is free.
            _purses[key] = purse.addFree(refundMicros);
            return false;
        }

        // Effect: nothing is held any more.
        _purses[key] = purse;

        // Interaction: the refund leaves; what the token refuses is free.
        pushed = refundMicros == 0 || TOKEN.trySafeTransfer(driver, refundMicros);
        if (!pushed) {
            _purses[key] = _purses[key].addFree(refundMicros);
        }
    }

    /// @dev Returns the key of a purse.
    function _key(address driver, uint32 number) internal pure returns (uint256) {
        return (uint256(uint160(driver)) << 32) | number;
    }

    /// @dev Checks that the token did what it was told.
    function _checkReceived(uint256 before, uint64 amountMicros) private view {
        uint256 received = TOKEN.balanceOf(address(this)) - before;
        require(received == amountMicros, ChargeVault_TokenShort(received, amountMicros));
    }
}
