"""A folder names its rule of trading; keys name members, and are refused where they are no key."""

import pytest

from api.market.reading.community import account_of
from api.market.reading.folder import read_folder
from settlement.engine.batch.running import settle_batch, span_of
from settlement.trading.auction import Auction
from settlement.trading.mechanisms.keys import DynamicKey, HybridKey, MatrixKey, StaticKey
from settlement.trading.mechanisms.pay_as_bid import PayAsBid
from settlement.trading.mechanisms.sharing import Sharing
from tests.unit.api.market.folders import COMMUNITY, market_run, write

ANA, BO = (account_of("lane", name) for name in ("ana", "bo"))
AUCTION = 'kind = "auction"'
SHARING = 'kind = "sharing"\nprice = "0.09"\n'


def community(mechanism: str) -> str:
    assert AUCTION in COMMUNITY
    return COMMUNITY.replace(AUCTION, mechanism)


def read(folder, mechanism):
    return read_folder(write(folder, community=community(mechanism))).batch


def test_the_auction_is_the_rule_if_none_is_named(tmp_path):
    text = COMMUNITY.replace("[mechanism]\n" + AUCTION, "")
    assert read_folder(write(tmp_path, community=text)).batch.community.mechanism == Auction()


def test_pay_as_bid_pays_what_the_buyer_offers(tmp_path):
    batch = read(tmp_path, 'kind = "pay-as-bid"')
    assert batch.community.mechanism == PayAsBid()
    (run,) = settle_batch(batch, span_of(batch))
    assert run.settlement.price == 180_000 - 30_000


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ('key = "dynamic"', DynamicKey()),
        ('key = "static"\nparts = { ana = 2500, bo = 7500 }', StaticKey({ANA: 2_500, BO: 7_500})),
        ('key = "hybrid"\nparts = { bo = 100 }', HybridKey({BO: 100})),
        ('key = "matrix"\nrows = { ana = { bo = 9 } }', MatrixKey({ANA: {BO: 9}})),
    ],
)
def test_a_key_shares_at_its_price(tmp_path, key, expected):
    batch = read(tmp_path, SHARING + key)
    assert batch.community.mechanism == Sharing(90_000, expected, Auction())
    (run,) = settle_batch(batch, span_of(batch))
    assert run.settlement.price == 90_000
    assert run.settlement.traded_wh == 1_000


@pytest.mark.parametrize(
    ("then", "expected"), [("pay-as-bid", PayAsBid()), ("auction", Auction()), ("nothing", None)]
)
def test_what_a_key_leaves_goes_on_as_named(tmp_path, then, expected):
    batch = read(tmp_path, f'{SHARING}key = "dynamic"\nthen = "{then}"')
    assert batch.community.mechanism.then == expected


@pytest.mark.parametrize(
    ("mechanism", "expected"),
    [
        ('kind = "auction"\nprice = "1"', "mechanism.price: no such key"),
        ('kind = "sharing"\nkey = "dynamic"', "mechanism.price: is missing"),
        (SHARING, "mechanism.key: is missing"),
        (SHARING + 'key = "fair"', "mechanism.key: 'fair' is not one of static, dynamic"),
        (SHARING + 'key = "static"', "mechanism.parts: is missing"),
        (SHARING + 'key = "static"\nparts = { eve = 1 }', "mechanism.parts.eve: there is no such"),
        (SHARING + 'key = "static"\nparts = { bo = -1 }', "mechanism.parts.bo: -1 is not a whole"),
        (SHARING + 'key = "hybrid"\nparts = { bo = 10001 }', "mechanism.key: the parts are 10001"),
        (SHARING + 'key = "matrix"\nrows = { ana = 3 }', "mechanism.rows.ana: is not a table"),
        (SHARING + 'key = "dynamic"\nthen = "luck"', "mechanism.then: 'luck' is not one of"),
    ],
)
def test_a_rule_that_is_none_is_named(tmp_path, mechanism, expected):
    code, shown = market_run(write(tmp_path, community=community(mechanism)))
    assert code == 1
    assert f"folder_value: community.toml, {expected}" in " ".join(shown.split())
