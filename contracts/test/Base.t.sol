// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EnergyEuro} from "../src/EnergyEuro.sol";
import {Shipped} from "./Shipped.sol";

/// @title Base_Test
/// @notice People, money and signatures that every suite needs.
abstract contract Base_Test is Shipped {
    bytes32 internal constant RECEIVE_TYPEHASH = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    );

    address internal admin = makeAddr("admin");
    address internal stranger = makeAddr("stranger");
    Account internal driver = makeAccount("driver");

    EnergyEuro internal euro;

    function setUp() public virtual {
        euro = EnergyEuro(deployShipped("EnergyEuro", abi.encode(admin)));
    }

    /// @dev Signs, as `payer`, that `payee` may take `amount` once, at any time from now on.
    function authorize(address token, Account memory payer, address payee, uint256 amount, bytes32 nonce)
        internal
        view
        returns (uint8 v, bytes32 r, bytes32 s)
    {
        bytes32 terms = keccak256(abi.encode(RECEIVE_TYPEHASH, payer.addr, payee, amount, 0, type(uint40).max, nonce));
        bytes32 domain = EnergyEuro(token).DOMAIN_SEPARATOR();
        return vm.sign(payer.key, keccak256(abi.encodePacked(hex"1901", domain, terms)));
    }
}
