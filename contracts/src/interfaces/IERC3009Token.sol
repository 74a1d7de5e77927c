// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";

/// @title IERC3009Token
/// @notice A token whose holder can let one payee take one amount once, by one signature.
interface IERC3009Token is IERC20, IERC3009 {}
