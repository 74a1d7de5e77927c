from dataclasses import replace

import pytest

from devnet.keys import PublicKeysExposedError, check_exposure, is_loopback, public_accounts
from devnet.node.chain import Devnet
from devnet.server import serve
from tests.unit.devnet.support import GENESIS

RICH = replace(GENESIS, balances=((public_accounts()[3].address.lower(), 1),))


def test_the_accounts_are_those_of_anvil() -> None:
    accounts = public_accounts()
    assert len(accounts) == len({account.address for account in accounts}) == 10
    assert accounts[0].address == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    assert accounts[0].private_key.hex().startswith("ac0974bec39a17e36ba4a6b4d238ff94")
    assert accounts[9].address == "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_loopback_public_accounts_may_hold_coins(host: str) -> None:
    assert is_loopback(host)
    check_exposure(RICH, host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "example.org", ""])  # noqa: S104
def test_beyond_loopback_they_may_not(host: str) -> None:
    with pytest.raises(PublicKeysExposedError, match=public_accounts()[3].address.lower()):
        check_exposure(RICH, host)
    check_exposure(GENESIS, host)
    check_exposure(replace(GENESIS, balances=(("0x" + "ab" * 20, 1),)), host)


def test_the_server_asks_before_it_listens(node: Devnet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "genesis", RICH)
    with pytest.raises(PublicKeysExposedError):
        serve(node, "0.0.0.0", 0)  # noqa: S104 - that is the point
