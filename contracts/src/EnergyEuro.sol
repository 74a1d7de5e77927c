// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";

/// @title EnergyEuro
/// @notice Settlement token of the demonstration: 6 decimals, so that one unit is one micro-euro.
/// In production any vetted token of 6 decimals with ERC-3009 takes its place.
contract EnergyEuro is ERC20, ERC20Permit, ERC3009, AccessControl {
    /// @notice Who may make demonstration money.
    bytes32 public constant MINTER_ROLE = keccak256("MINTER_ROLE");

    /// @notice Thrown when holders and amounts of a batch differ in number.
    error EnergyEuro_LengthsDiffer(uint256 holders, uint256 amounts);

    /// @param admin Administrator and first minter.
    constructor(address admin) ERC20("Energy Euro", "EEUR") ERC20Permit("Energy Euro") {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(MINTER_ROLE, admin);
    }

    /// @notice Makes `amount` micro-euros for `holder`.
    function mint(address holder, uint256 amount) external onlyRole(MINTER_ROLE) {
        _mint(holder, amount);
    }

    /// @notice Makes `amounts[i]` micro-euros for each `holders[i]`.
    function mintBatch(address[] calldata holders, uint256[] calldata amounts) external onlyRole(MINTER_ROLE) {
        require(holders.length == amounts.length, EnergyEuro_LengthsDiffer(holders.length, amounts.length));
        for (uint256 i = 0; i < holders.length; ++i) {
            _mint(holders[i], amounts[i]);
        }
    }

    /// @inheritdoc ERC20
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
