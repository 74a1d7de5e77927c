"""The simulator finds nothing in the service, the same each time, and all that is broken in it."""

import subprocess
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import rlp
from eth_account import Account
from sqlalchemy import delete

from ledger.errors import ChainUnavailable
from scripts.campaigns.simulator import __main__ as command
from scripts.campaigns.simulator.__main__ import (
    BadSeedsError,
    line_of,
    row_of,
    seeds_of,
    simulate,
)
from scripts.campaigns.simulator.following import DivergedError
from scripts.campaigns.simulator.simulation import Outcome, play
from scripts.campaigns.simulator.world.chain import WiredGateway
from scripts.campaigns.simulator.world.setting import CHAIN_ID
from scripts.campaigns.simulator.world.template import SECRETS, settlement_of, template
from settlement.chain.indexer import Indexer
from settlement.engine import finality, intake
from settlement.metering.periods import SettlementPeriod
from settlement.tables import block

ROOT = Path(__file__).parents[2]
STEPS = 60
COMMAND = ("-m", "scripts.campaigns.simulator", "--seeds", "3", "--steps", "30")


@pytest.fixture(scope="module", autouse=True)
def community():
    """Make what every simulation begins with, before anything is broken."""
    template()


class TestPlay:
    @pytest.mark.parametrize("seed", [2, 5, 8])
    def test_finds_no_difference_in_the_service(self, seed):
        assert play(seed, STEPS).difference is None

    def test_finds_no_difference_where_days_are_settled_at_once(self):
        assert settlement_of(11) is SettlementPeriod.DAY
        assert play(11, 300).difference is None

    def test_a_late_fiscal_record_stops_no_interval(self):
        """Its energy counts where it was not drawn, more than the feeder head measured there."""
        assert play(32, 200).difference is None

    def test_no_fiscal_record_counts_after_the_end_of_its_session(self):
        """A station that goes on measuring may send one that the bill does not hold."""
        assert play(16, 180).difference is None

    def test_does_the_same_in_another_process_with_other_hashes(self):
        here = play(3, 30).trace
        there = subprocess.run(
            ["/usr/bin/env", "PYTHONHASHSEED=7", sys.executable, *COMMAND],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert f"trace {here[:16]}" in there

    def test_does_something_else_with_another_seed(self):
        assert play(3, 5).trace != play(4, 5).trace


def first_found(*seeds):
    """Return the first difference of these seeds, or of the first thirty; None if none differs."""
    found = (play(seed, STEPS).difference for seed in (*seeds, *range(1, 31)))
    return next((one for one in found if one is not None), None)


class TestPlayOfABrokenService:
    def test_finds_that_a_silence_is_answered_with_another_nonce(self, monkeypatch):
        send = WiredGateway.send_all

        def send_anew(gateway, raws):
            try:
                return send(gateway, raws)
            except ChainUnavailable:
                anew = [signed_under_the_next_nonce(gateway, raw) for raw in raws]
                return send(gateway, anew)

        monkeypatch.setattr(WiredGateway, "send_all", send_anew)
        assert first_found(18, 11, 5) is not None

    def test_finds_that_an_event_is_posted_twice(self, monkeypatch):
        key = ("ChargeVault", "Deposited")
        handler = finality._HANDLERS[key]

        def post_twice(service, connection, events):
            again = [replace(one, log_index=one.log_index + 1) for one in events]
            handler(service, connection, events)
            handler(service, connection, again)

        monkeypatch.setitem(finality._HANDLERS, key, post_twice)
        assert "eur/vault-driver/" in first_found(24, 5)

    def test_finds_that_a_close_forgets_the_refund(self, monkeypatch):
        key = ("ChargeVault", "SessionClosed")
        handler = finality._HANDLERS[key]

        def forget(service, connection, events):
            kept = [replace(one, arguments={**one.arguments, "pushed": False}) for one in events]
            handler(service, connection, kept)

        monkeypatch.setitem(finality._HANDLERS, key, forget)
        assert "eur/vault-driver/" in first_found(22, 19, 10)

    def test_finds_that_events_are_taken_before_they_are_posted(self, monkeypatch):
        take_final = Indexer.take_final

        def take_early(indexer, connection):
            events = take_final(indexer, connection)
            raw = connection.connection.dbapi_connection
            raw.commit()
            raw.execute("BEGIN IMMEDIATE")
            return events

        monkeypatch.setattr(Indexer, "take_final", take_early)
        assert first_found(28, 18) is not None

    def test_finds_that_an_answered_message_is_not_known_again(self, monkeypatch):
        other = count()
        monkeypatch.setattr(intake, "content_hash", lambda _message: next(other).to_bytes(32))
        assert "message_differs" in first_found(11, 3, 24)

    def test_finds_that_events_of_replaced_blocks_stay(self, monkeypatch):
        def keep_events(_indexer, connection, above):
            connection.execute(delete(block).where(block.c.number > above))

        monkeypatch.setattr(Indexer, "discard", keep_events)
        assert first_found(16, 11) is not None


def signed_under_the_next_nonce(gateway, raw):
    """Return the same call, signed anew."""
    account = Account.from_key(SECRETS.signer)
    _, _, _, _, gas, to, value, data, *_ = rlp.decode(raw[1:])
    fields = {
        "type": 2,
        "chainId": CHAIN_ID,
        "nonce": gateway.transaction_count(account.address),
        "maxFeePerGas": 0,
        "maxPriorityFeePerGas": 0,
        "gas": int.from_bytes(gas),
        "value": int.from_bytes(value),
        "data": data,
        "to": to,
    }
    return bytes(account.sign_transaction(fields).raw_transaction)


class TestCommand:
    def test_takes_one_seed_or_a_range_of_them(self):
        assert seeds_of("7") == range(7, 8)
        assert seeds_of("1..20") == range(1, 21)

    @pytest.mark.parametrize("text", ["", "a", "1..", "1-3", "-1"])
    def test_refuses_other_texts(self, text):
        with pytest.raises(BadSeedsError):
            seeds_of(text)

    def test_says_how_to_see_a_difference_again(self):
        outcome = Outcome(7, 300, 12, {"node_down": 2, "refused_x": 5}, "ab" * 32, "L1: no")
        line = line_of(outcome)
        assert "step 12: L1: no" in line
        assert "--seeds 7 --steps 300" in line
        assert "node_down 2" in line
        assert "refused_x" not in line

    def test_says_in_words_what_was_done(self, monkeypatch):
        monkeypatch.setattr(command, "STEPS", 20)
        assert simulate(2, 5).startswith("40 steps with ")

    def test_stops_a_campaign_at_the_first_difference(self, monkeypatch):
        outcome = Outcome(7, 300, 12, {}, "ab" * 32, "L1: no")
        monkeypatch.setattr(command, "play", lambda _seed, _steps: outcome)
        with pytest.raises(DivergedError, match="step 12: L1: no"):
            simulate(2, 7)

    def test_adds_up_all_seeds_in_one_row(self):
        outcomes = [Outcome(seed, 10, 10, {"node_down": 2}, "00", None) for seed in (1, 2)]
        row = row_of(outcomes, 60, "command")
        assert "seeds 1..2, 20 steps (20 a minute): 4 faults (node_down 4)" in row
        assert "0 differences" in row
