// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IERC3009Token} from "../interfaces/IERC3009Token.sol";
import {IChargeVault} from "../interfaces/IChargeVault.sol";
import {IMeterRegistry} from "../interfaces/IMeterRegistry.sol";
import {Station} from "../types/Station.sol";
import {Purses} from "./Purses.sol";

/// @title Stations
/// @notice The earning side of the {IChargeVault}: whom a meter earns for, and how much.
abstract contract Stations is Purses {
    using SafeERC20 for IERC3009Token;

    /// @notice Who may sign for which meter, and whose it is.
    IMeterRegistry public immutable REGISTRY;

    mapping(bytes32 meterId => Station station) internal _stations;
    mapping(address operator => uint64 micros) internal _earned;

    /// @param registry Registry of meters.
    constructor(IMeterRegistry registry) {
        REGISTRY = registry;
    }

    /// @inheritdoc IChargeVault
    function bind(bytes32 meterId) external {
        // Effect: what was earned before is not the new operator's; a revoked meter is nobody's.
        address operator = REGISTRY.operatorOf(meterId);
        Station before = _stations[meterId];
        _earned[before.operator()] += before.earned();
        _stations[meterId] = before.bind(operator);

        // Log.
        emit StationBound(meterId, operator, before.operator(), before.earned());
    }

    /// @inheritdoc IChargeVault
    function collect(bytes32[] calldata meterIds) external {
        for (uint256 i = 0; i < meterIds.length; ++i) {
            // Effect: it is the operator's own.
            Station station = _stations[meterIds[i]];
            (address operator, uint64 earned) = (station.operator(), station.earned());
            _stations[meterIds[i]] = station.bind(operator);
            _earned[operator] += earned;

            // Log.
            emit EarningsCollected(meterIds[i], operator, earned);
        }
    }

    /// @inheritdoc IChargeVault
    function withdrawEarned(address to, uint64 amountMicros) external nonReentrant {
        // Check: it is there.
        uint64 held = _earned[msg.sender];
        require(amountMicros <= held, ChargeVault_Insufficient(msg.sender, held, amountMicros));

        // Effect.
        _earned[msg.sender] = held - amountMicros;

        // Interaction, log.
        TOKEN.safeTransfer(to, amountMicros);
        emit EarningsWithdrawn(msg.sender, to, amountMicros);
    }

    /// @inheritdoc IChargeVault
    function earnedOf(address operator) external view returns (uint64) {
        return _earned[operator];
    }

    /// @inheritdoc IChargeVault
    function operatorOf(bytes32 meterId) external view returns (address) {
        return _stations[meterId].operator();
    }

    /// @inheritdoc IChargeVault
    function stationEarned(bytes32 meterId) external view returns (uint64) {
        return _stations[meterId].earned();
    }

    /// @inheritdoc IChargeVault
    function lastPageOf(bytes32 meterId) external view returns (uint64) {
        return _stations[meterId].lastPage();
    }

    /// @dev Returns the last page seen of a meter that earns for the operator.
    function _pageAtOpen(bytes32 meterId, address operator) internal view returns (uint64) {
        Station station = _stations[meterId];
        address bound = station.operator();
        require(operator != address(0) && bound == operator, ChargeVault_NotTheOperator(meterId, operator, bound));
        return station.lastPage();
    }

    /// @dev Adds what a record has earned and notes its page, both in one slot. Returns whether it was
    /// earned for somebody else than the meter's operator of today.
    function _earnByRecord(bytes32 meterId, address operator, uint64 micros, uint64 page)
        internal
        returns (bool elsewhere)
    {
        Station station = _stations[meterId].spendPage(page);
        elsewhere = station.operator() != operator;
        if (elsewhere) {
            // The meter changed hands since the session was opened.
            _earned[operator] += micros;
        } else {
            station = station.earn(micros);
        }
        _stations[meterId] = station;
    }
}
