// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IERC3009Token} from "../interfaces/IERC3009Token.sol";
import {IChargeVault} from "../interfaces/IChargeVault.sol";
import {IMeterRegistry} from "../interfaces/IMeterRegistry.sol";
import {Purses} from "./Purses.sol";

/// @title Stations
/// @notice The earning side of the {IChargeVault}: whom a meter earns for, and how much.
abstract contract Stations is Purses {
    using SafeERC20 for IERC3009Token;

    /// @dev One slot for each meter; a record writes earnings and page at once.
    /// @param operator Whom it earns for; zero until bound.
    /// @param earned What its records have earned since it was last collected.
    /// @param lastPage Highest transaction page that closed a session.
    /// @param spent Which of the pages just below it did too: bit n is page `lastPage - 1 - n`.
    struct Station {
        address operator;
        uint48 earned;
        uint32 lastPage;
        uint16 spent;
    }

    /// @dev How far a record may come late, in pages.
    uint256 private constant WINDOW = 16;

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
        Station memory before = _stations[meterId];
        _earned[before.operator] += before.earned;
        _stations[meterId] = Station(operator, 0, before.lastPage, before.spent);

        // Log.
        emit StationBound(meterId, operator, before.operator, before.earned);
    }

    /// @inheritdoc IChargeVault
    function collect(bytes32[] calldata meterIds) external {
        for (uint256 i = 0; i < meterIds.length; ++i) {
            Station storage station = _stations[meterIds[i]];
            uint64 earned = station.earned;
            station.earned = 0;
            _earned[station.operator] += earned;
            emit EarningsCollected(meterIds[i], station.operator, earned);
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
        return _stations[meterId].operator;
    }

    /// @inheritdoc IChargeVault
    function stationEarned(bytes32 meterId) external view returns (uint64) {
        return _stations[meterId].earned;
    }

    /// @inheritdoc IChargeVault
    function lastPageOf(bytes32 meterId) external view returns (uint64) {
        return _stations[meterId].lastPage;
    }

    /// @dev Returns the last page seen of a meter that earns for the operator.
    function _pageAtOpen(bytes32 meterId, address operator) internal view returns (uint64) {
        Station memory station = _stations[meterId];
        require(
            operator != address(0) && station.operator == operator,
            ChargeVault_NotTheOperator(meterId, operator, station.operator)
        );
        return station.lastPage;
    }

    /// @dev Adds what a record has earned and notes its page, both in one slot. Returns whether it was
    /// earned for somebody else than the meter's operator of today.
    function _earnByRecord(bytes32 meterId, address operator, uint64 micros, uint64 page)
        internal
        returns (bool elsewhere)
    {
        Station memory station = _stations[meterId];
        _spendPage(station, page);
        elsewhere = station.operator != operator;
        if (elsewhere) {
            // The meter changed hands since the session was opened.
            _earned[operator] += micros;
        } else {
            station.earned = SafeCast.toUint48(uint256(station.earned) + micros);
        }
        _stations[meterId] = station;
    }

    /// @dev Notes a page, so that no record is ever paid twice. Records may come late and out of
    /// order, as they do from stations that were offline, but not later than the window.
    function _spendPage(Station memory station, uint64 page) private pure {
        uint256 last = station.lastPage;
        if (page > last) {
            uint256 ahead = page - last;
            // What was the last page lies `ahead` below the new one now.
            station.spent = ahead > WINDOW ? 0 : uint16((uint256(station.spent) << ahead) | (1 << (ahead - 1)));
            require(page <= type(uint32).max, ChargeVault_PageTooHigh(page));
            station.lastPage = uint32(page);
            return;
        }
        uint256 behind = last - page;
        require(behind != 0 && behind <= WINDOW, ChargeVault_OldPage(page, uint64(last)));
        uint256 bit = 1 << (behind - 1);
        require(station.spent & bit == 0, ChargeVault_PageSpent(page));
        station.spent |= uint16(bit);
    }
}
