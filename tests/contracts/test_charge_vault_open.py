"""Opening a session: one signature of the driver, terms that a record can end, a meter that counts.

Each test that only reads or provokes a refusal runs on a fork that is thrown away.
"""

from dataclasses import replace

import pytest
from eth_account import Account

from ledger.units import UnixSeconds
from settlement.charging.terms import contract_tuple, session_id
from tests.contracts.ocmf_cases import payload_of
from tests.contracts.support import CHAIN_ID, NOBODY, NOBODY_WALLET, START_S, membership

ZERO_ADDRESS = "0x" + "00" * 20


class TestOpening:
    @pytest.mark.parametrize(("curve", "purse"), [("k1", 11), ("r1", 12)])
    def test_takes_exactly_the_deposit_with_one_signature_sent_by_a_stranger(
        self, world, curve, purse
    ):
        meter = getattr(world, curve)
        terms = world.terms("open" + curve, meter_id=meter.meter_id_hex, purse=purse)
        driver, vault = terms.driver, world.vault.address
        before = [world.get(world.token, "balanceOf", one) for one in (driver, vault)]
        result = world.send(NOBODY_WALLET, world.vault, "open", *world.open_arguments(terms))
        after = [world.get(world.token, "balanceOf", one) for one in (driver, vault)]
        assert after == [before[0] - 20_000_000, before[1] + 20_000_000]
        assert result.event("SessionOpened") == {
            "sessionId": "0x" + session_id(terms).hex(),
            "driver": terms.driver,
            "operator": terms.operator,
            "purse": purse,
            "meterId": terms.meter_id,
            "depositMicros": 20_000_000,
            "pageAtOpen": world.get(world.vault, "lastPageOf", meter.meter_id),
            "fromWallet": True,
        }
        assert world.get(world.vault, "depositOf", driver, purse) == 20_000_000
        assert world.get(world.vault, "openedOf", driver, purse) == 1
        page = result.event("SessionOpened")["pageAtOpen"]
        opening = (world.node.head.header.timestamp, page, True)
        for changed, found in ((0, True), (1, False)):
            at_s, page, wallet = opening
            moved = (at_s + changed, page, wallet)
            assert world.get(world.vault, "isOpen", contract_tuple(terms), moved) is found

    def test_returns_the_hash_of_the_terms(self, world, fork):
        terms = world.terms("id")
        assert fork.open(terms).output == session_id(terms)

    def test_uses_the_hash_of_the_terms_up_as_the_tokens_nonce(self, world, fork):
        terms = world.terms("nonce")
        used = (world.token, "authorizationState", terms.driver, session_id(terms))
        assert fork.get(*used) is False
        assert fork.open(terms).error is None
        assert fork.get(*used) is True

    def test_remembers_the_meters_last_page(self, world, fork):
        first, second = world.terms("one"), world.terms("two", purse=1)
        fork.open(first)
        fork.move_to(START_S + 7_200)
        fork.close(first, payload_of(tag=first.id_tag, page=7))
        assert fork.open(second).event("SessionOpened")["pageAtOpen"] == 7
        assert fork.opening(second)[1] == 7

    def test_of_a_session_never_opened_shows_nothing(self, world, fork):
        terms = world.terms("never")
        assert not fork.is_open(terms)
        assert fork.purse(terms) == (0, 0)


class TestTermsThatNoRecordCouldEnd:
    def test_in_a_purse_where_a_session_runs_are_refused(self, world, fork):
        """Rival fault: a second start overwrote the running session, and its deposit was lost."""
        terms = world.terms("twice")
        fork.open(terms)
        for again in (terms, world.terms("second")):
            refused = fork.open(again)
            assert refused.error == "ChargeVault_PurseInUse"
            assert refused.arguments == {"driver": terms.driver, "purse": 0}
        assert fork.is_open(terms)
        assert fork.open(world.terms("second", purse=1)).error is None
        assert fork.is_open(terms)

    def test_stay_used_up_after_the_session_closed(self, world, fork):
        terms = world.terms("closed")
        fork.open(terms)
        fork.move_to(START_S + 7_200)
        fork.close(terms, payload_of(tag=terms.id_tag))
        assert fork.open(terms).error == "ERC3009UsedAuthorization"

    def test_with_a_salt_that_a_standing_balance_asks_for_are_refused(self, world, fork):
        for number in (0, 1, 2**24 - 1, 2**24):
            salt = "0x" + number.to_bytes(32).hex()
            refused = fork.open(replace(world.terms("salt"), salt=salt))
            assert refused.error == "ChargeVault_BadSalt"
            assert refused.arguments == {"salt": salt}
        least = "0x" + (2**24 + 1).to_bytes(32).hex()
        assert fork.open(replace(world.terms("salt"), salt=least)).error is None

    def test_without_a_deposit_are_refused(self, world, fork):
        assert fork.open(world.terms("free", deposit_micros=0)).error == "ChargeVault_NoDeposit"

    def test_without_an_id_tag_are_refused(self, world, fork):
        assert fork.open(world.terms("untagged", id_tag="")).error == "ChargeVault_Unbindable"

    def test_whose_deadline_is_now_are_refused(self, world, fork):
        late = fork.open(world.terms("late", deadline_s=fork.now_s))
        assert late.error == "ChargeVault_DeadlinePassed"
        assert late.arguments == {"deadline": fork.now_s, "time": fork.now_s}

    def test_whose_deadline_is_a_second_away_are_taken(self, world, fork):
        terms = world.terms("close", deadline_s=UnixSeconds(fork.now_s + 1))
        assert fork.open(terms).error is None


class TestMeter:
    """A deposit is taken only for a meter that earns for the operator of the terms."""

    @staticmethod
    def assert_not_the_operator(result, terms, bound):
        assert result.error == "ChargeVault_NotTheOperator"
        assert result.arguments == {
            "meterId": terms.meter_id,
            "operator": terms.operator,
            "bound": bound,
        }

    def test_that_earns_for_nobody_is_refused(self, world, fork):
        terms = world.terms("m", meter_id="0x" + "ab" * 32)
        self.assert_not_the_operator(fork.open(terms), terms, ZERO_ADDRESS)

    def test_that_earns_for_nobody_is_refused_to_nobody_too(self, world, fork):
        terms = world.terms("m", meter_id="0x" + "ab" * 32, operator=ZERO_ADDRESS)
        self.assert_not_the_operator(fork.open(terms), terms, ZERO_ADDRESS)

    def test_of_one_operator_is_not_anothers_to_earn_with(self, world, fork):
        """A stranger's code on a charge point names the stranger as who is paid."""
        terms = world.terms("m", operator="0x" + "66" * 20)
        self.assert_not_the_operator(fork.open(terms), terms, world.operator.address_hex)

    def test_revoked_is_refused_once_anybody_has_told_the_vault(self, world, fork):
        fork.ok(world.owner, world.registry, "revoke", world.k1.meter_id)
        fork.ok(NOBODY, world.vault, "bind", world.k1.meter_id)
        terms = world.terms("m")
        self.assert_not_the_operator(fork.open(terms), terms, ZERO_ADDRESS)


class TestAuthorization:
    """The driver's signature serves this vault, these terms and this amount, and nothing else."""

    def test_cannot_be_used_by_a_stranger_for_the_token_itself(self, world, fork):
        terms = world.terms("front")
        _, signature = world.open_arguments(terms)
        to_vault = (terms.driver, world.vault.address, terms.deposit_micros)
        nonce = session_id(terms)
        after, before, v, r, s = signature
        arguments = (*to_vault, after, before, nonce, v, r, s)
        received = fork.send(NOBODY, world.token, "receiveWithAuthorization", *arguments)
        assert received.error == "ERC20InvalidReceiver"
        moved = fork.send(NOBODY, world.token, "transferWithAuthorization", *arguments)
        assert moved.error == "ERC3009InvalidSignature"
        assert fork.open(terms).error is None

    def test_cannot_be_turned_to_a_strangers_account(self, world, fork):
        terms = world.terms("turned")
        _, (after, before, v, r, s) = world.open_arguments(terms)
        to_thief = (terms.driver, NOBODY, terms.deposit_micros, after, before)
        stolen = fork.send(
            NOBODY, world.token, "receiveWithAuthorization", *to_thief, session_id(terms), v, r, s
        )
        assert stolen.error == "ERC3009InvalidSignature"

    @pytest.mark.parametrize(
        "changes",
        [
            {"operator": "0x" + "66" * 20},
            {"price_micros_per_kwh": 391_701},
            {"flat_micros": 500_001},
            {"deposit_micros": 20_000_001},
            {"deposit_micros": 1},
            {"id_tag": "THIEF"},
            {"tariff_fingerprint": "0x" + "01" * 32},
            {"deadline_s": START_S + 86_401},
            {"salt": "0x" + "02" * 32},
        ],
        ids="-".join,
    )
    def test_does_not_cover_terms_that_a_relayer_changed(self, world, fork, changes):
        terms = world.terms("signed")
        _, signature = world.open_arguments(terms)
        changed = contract_tuple(replace(terms, **changes))
        result = fork.send(NOBODY, world.vault, "open", changed, signature)
        assert result.error in {"ERC3009InvalidSignature", "ChargeVault_NotTheOperator"}

    def test_of_another_driver_is_refused(self, world, fork):
        terms = world.terms("robbed")
        mine = world.terms("robbed", driver=world.drivers[1].address_hex)
        _, signature = world.open_arguments(mine)
        result = fork.send(NOBODY, world.vault, "open", contract_tuple(terms), signature)
        assert result.error == "ERC3009InvalidSignature"

    def test_signed_for_another_payee_is_refused(self, world, fork):
        terms = world.terms("payee")
        arguments = world.open_arguments(terms, payee=world.trade.address)
        result = fork.send(NOBODY, world.vault, "open", *arguments)
        assert result.error == "ERC3009InvalidSignature"

    def test_of_a_membership_does_not_open_a_session(self, world, fork):
        driver, terms = world.drivers[0], world.terms("member")
        nonce = membership(driver, 1, terms.deposit_micros, bytes(32))
        signature = world.authorization(driver, world.vault.address, terms.deposit_micros, nonce)
        result = fork.send(NOBODY, world.vault, "open", contract_tuple(terms), signature)
        assert result.error == "ERC3009InvalidSignature"

    def test_that_the_driver_took_back_opens_nothing(self, world, fork):
        terms = world.terms("cancelled")
        typed = {
            "types": {
                "EIP712Domain": [
                    {"name": "name", "type": "string"},
                    {"name": "version", "type": "string"},
                    {"name": "chainId", "type": "uint256"},
                    {"name": "verifyingContract", "type": "address"},
                ],
                "CancelAuthorization": [
                    {"name": "authorizer", "type": "address"},
                    {"name": "nonce", "type": "bytes32"},
                ],
            },
            "primaryType": "CancelAuthorization",
            "domain": {
                "name": "Energy Euro",
                "version": "1",
                "chainId": CHAIN_ID,
                "verifyingContract": world.token.address,
            },
            "message": {"authorizer": terms.driver, "nonce": session_id(terms)},
        }
        key = world.wallet(terms.driver).private_key
        signed = Account.sign_typed_data(key, full_message=typed)
        signature = (signed.v, signed.r.to_bytes(32), signed.s.to_bytes(32))
        arguments = (terms.driver, session_id(terms), *signature)
        fork.ok(NOBODY, world.token, "cancelAuthorization", *arguments)
        assert fork.open(terms).error == "ERC3009UsedAuthorization"

    def test_of_a_driver_without_the_money_is_refused(self, world, fork):
        terms = world.terms("poor", deposit_micros=2**40 - 1)
        rest = fork.token(terms.driver) - (2**40 - 2)
        fork.ok(terms.driver, world.token, "transfer", NOBODY, rest)
        assert fork.open(terms).error == "ERC20InsufficientBalance"
        assert not fork.is_open(terms)

    def test_of_more_than_a_purse_holds_is_refused(self, world, fork):
        refused = fork.open(world.terms("rich", deposit_micros=2**40))
        assert (refused.error, refused.arguments) == ("Purse_Full", {"micros": 2**40})
        assert fork.open(world.terms("rich", deposit_micros=2**40 - 1)).error is None
