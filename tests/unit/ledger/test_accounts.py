"""An account is its id: every id names exactly one kind, or is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import accounts
from ledger.accounts import KINDS, Ledger, UnknownAccountError, kind_of

WALLET = "0x" + "aa" * 20
OWNED = sorted(name for name, kind in KINDS.items() if kind.owned)
SHARED = sorted(name for name, kind in KINDS.items() if not kind.owned)


class TestKindOf:
    @pytest.mark.parametrize("name", OWNED)
    def test_an_owned_kind_has_an_owner(self, name):
        assert kind_of(f"{name}/{WALLET}") == KINDS[name]
        assert kind_of(f"{name}/a/b") == KINDS[name]
        for wrong in (name, f"{name}/"):
            with pytest.raises(UnknownAccountError):
                kind_of(wrong)

    @pytest.mark.parametrize("name", SHARED)
    def test_a_shared_kind_has_none(self, name):
        assert kind_of(name) == KINDS[name]
        with pytest.raises(UnknownAccountError):
            kind_of(f"{name}/{WALLET}")

    @pytest.mark.parametrize(
        "account",
        [
            "",
            "/",
            "//",
            "eur",
            "eur/",
            "/world",
            "eur/worlds",
            "EUR/world",
            "eur/trade-balance",
            "wh/trade-balance/" + WALLET,
            "eur/member/" + WALLET,
            "eur//trade-balance/" + WALLET,
            " eur/world",
            "eur/world ",
            "usd/world",
            "eur/invoice/é",
            "eur/invoice/\u212a",
        ],
    )
    def test_any_other_id_is_refused(self, account):
        with pytest.raises(UnknownAccountError) as caught:
            kind_of(account)
        assert caught.value.code == "unknown_account"

    def test_an_id_has_at_most_128_characters(self):
        longest = "eur/invoice/" + "x" * 116
        assert len(longest) == 128
        assert kind_of(longest).owned
        with pytest.raises(UnknownAccountError):
            kind_of(longest + "x")

    @given(st.text("eurwhld/-tabcn", max_size=24))
    @settings(deadline=None)
    def test_an_id_never_names_two_kinds(self, account):
        try:
            kind = kind_of(account)
        except UnknownAccountError:
            return
        named = [name for name in KINDS if account == name or account.startswith(name + "/")]
        assert [KINDS[name] for name in named] == [kind]


class TestKinds:
    def test_only_money_of_others_has_a_limit(self):
        limited = {name for name, kind in KINDS.items() if kind.limited}
        assert limited == {
            "eur/vault-driver",
            "eur/vault-earned",
            "eur/trade-balance",
            "eur/trade-bond",
        }

    @pytest.mark.parametrize("name", sorted(KINDS))
    def test_an_id_begins_with_its_ledger(self, name):
        assert name.split("/")[0] == KINDS[name].ledger

    @pytest.mark.parametrize(
        ("account", "ledger"),
        [
            (accounts.world(), Ledger.EUR),
            (accounts.vault_driver(WALLET), Ledger.EUR),
            (accounts.vault_earned(WALLET), Ledger.EUR),
            (accounts.trade_balance(WALLET), Ledger.EUR),
            (accounts.invoice("supplier"), Ledger.EUR),
            (accounts.produced(), Ledger.WH),
            (accounts.consumed(), Ledger.WH),
            (accounts.grid(), Ledger.WH),
            (accounts.losses(), Ledger.WH),
            (accounts.member_energy("member-1"), Ledger.WH),
            (accounts.station_energy("operator"), Ledger.WH),
            (accounts.driver_energy(WALLET), Ledger.WH),
        ],
    )
    def test_every_named_account_exists(self, account, ledger):
        assert kind_of(account).ledger is ledger

    def test_no_two_named_accounts_are_one(self):
        made = [
            accounts.world(),
            accounts.produced(),
            accounts.consumed(),
            accounts.grid(),
            accounts.losses(),
            *(
                make(owner)
                for owner in ("a", "b")
                for make in (
                    accounts.vault_driver,
                    accounts.vault_earned,
                    accounts.trade_balance,
                    accounts.invoice,
                    accounts.member_energy,
                    accounts.station_energy,
                    accounts.driver_energy,
                )
            ),
        ]
        assert len(set(made)) == len(made) == 19


@pytest.mark.parametrize("account", ["eur/world/", "wh/grid/", "eur/invoice/"])
def test_a_slash_at_the_end_makes_no_second_account(account):
    with pytest.raises(accounts.UnknownAccountError):
        accounts.kind_of(account)
