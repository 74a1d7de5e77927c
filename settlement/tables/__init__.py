"""
The settlement service's tables, beside the ledger's in one database.

Evidence (``inbox``, ``refusal``, ``event``, ``reading``, ``mandate``, ``slice``, ``run``, ``line``,
``attempt``, ``tariff``, ``station_event``, ``charge_line``, ``cdr``, ``rejudged``,
``signed_record``, ``kept_report``, ``market_order``, ``market_order_end``, ``delegation``,
``participation``, ``late_reading``, ``final_interval``, ``statement``, ``zone_rule``,
``run_member``, ``run_zone``, ``lot``, ``membership_step``, ``chain_run``) is written once; triggers
refuse to change or delete it. ``session``, ``intent``, ``lane``, ``run_state`` and ``certificate``
say where something stands now and may move on; every step they take is an event.
``dirty_interval`` says which intervals wait for a correction. ``register_head`` repeats the newest
``reading`` of each register, and moves with it.
``waiting_report`` names the kept reports of stations that are still to be judged. ``subscriber`` is
who is told of events, and how far it was told.
``latency`` holds wall times for display and never enters the journal.
A row of ``break_`` is opened when a break is found and closed when it is gone, and both are in the
journal.
"""

from typing import Final

from settlement.tables.charging import (
    cdr,
    charge_line,
    kept_report,
    latency,
    session,
    signed_record,
    slice_,
    station_event,
    subscriber,
    tariff,
    waiting_report,
)
from settlement.tables.evidence import (
    event,
    frame,
    inbox,
    mandate,
    reading,
    refusal,
    register_head,
    rejudged,
)
from settlement.tables.grid import (
    certificate,
    lot,
    membership_step,
    run_member,
    run_zone,
    zone_rule,
)
from settlement.tables.market import (
    chain_run,
    delegation,
    line,
    market_order,
    market_order_end,
    run,
    run_state,
)
from settlement.tables.onchain import attempt, block, break_, intent, observed
from settlement.tables.registry import (
    lane,
    meta,
    metadata,
    meter,
    participation,
    party,
    station,
    wallet,
)
from settlement.tables.runs import dirty_interval, final_interval, late_reading, statement

IMMUTABLE: Final = (
    "inbox",
    "refusal",
    "frame",
    "event",
    "reading",
    "mandate",
    "slice",
    "run",
    "line",
    "attempt",
    "tariff",
    "station_event",
    "charge_line",
    "cdr",
    "rejudged",
    "signed_record",
    "kept_report",
    "market_order",
    "market_order_end",
    "delegation",
    "zone_rule",
    "run_member",
    "run_zone",
    "lot",
    "membership_step",
    "participation",
    "late_reading",
    "final_interval",
    "statement",
    "chain_run",
)
"""Tables whose rows may neither change nor go; triggers see to it."""

__all__ = [
    "IMMUTABLE",
    "attempt",
    "block",
    "break_",
    "cdr",
    "certificate",
    "chain_run",
    "charge_line",
    "delegation",
    "dirty_interval",
    "event",
    "final_interval",
    "frame",
    "inbox",
    "intent",
    "kept_report",
    "lane",
    "late_reading",
    "latency",
    "line",
    "lot",
    "mandate",
    "market_order",
    "market_order_end",
    "membership_step",
    "meta",
    "metadata",
    "meter",
    "observed",
    "participation",
    "party",
    "reading",
    "refusal",
    "register_head",
    "rejudged",
    "run",
    "run_member",
    "run_state",
    "run_zone",
    "session",
    "signed_record",
    "slice_",
    "statement",
    "station",
    "station_event",
    "subscriber",
    "tariff",
    "waiting_report",
    "wallet",
    "zone_rule",
]
