"""Members: their limits are drawn from the seed, and what they sign is what they send."""

import asyncio
import json

import httpx2
import pytest

from contracts.typed_data import digest, hash_struct, signer_of
from devnet.field.dataset import load_dataset
from devnet.field.keys import build_keys
from devnet.field.members import Validity, build_members, join, mandate_body, membership_body
from devnet.field.parameters import load_parameters
from devnet.field.service import Places, ServiceRefusedError

WEEK, PARAMETERS = load_dataset(), load_parameters()
KEYS = build_keys(WEEK, PARAMETERS, seed=1)
MEMBERS = build_members(KEYS, PARAMETERS, seed=1)
PLACES = Places(1_337, "0x" + "aa" * 20, "0x" + "bb" * 20, "0x" + "cc" * 20)
VALIDITY = Validity(from_s=1_494_000_000, until_s=1_500_000_000)


class TestBuildMembers:
    def test_are_every_home_and_the_operator(self):
        assert [member.party for member in MEMBERS] == [*WEEK.homes, "operator"]

    @pytest.mark.parametrize("seed", range(20))
    def test_have_limits_inside_the_published_bounds_on_whole_steps(self, seed):
        limits = PARAMETERS.limits
        for member in build_members(KEYS, PARAMETERS, seed=seed):
            assert limits.sell_min <= member.sell_limit <= limits.sell_max
            assert limits.buy_min <= member.buy_limit <= limits.buy_max
            assert (member.sell_limit - limits.sell_min) % limits.step == 0
            assert (member.buy_limit - limits.buy_min) % limits.step == 0

    def test_reach_both_ends_of_the_bounds(self):
        drawn = [build_members(KEYS, PARAMETERS, seed=seed) for seed in range(40)]
        sells = {member.sell_limit for members in drawn for member in members}
        buys = {member.buy_limit for members in drawn for member in members}
        assert (min(sells), max(sells)) == (70_000, 120_000)
        assert (min(buys), max(buys)) == (170_000, 200_000)

    def test_differ_from_home_to_home_and_from_seed_to_seed(self):
        assert len({member.sell_limit for member in MEMBERS}) > 5
        assert build_members(KEYS, PARAMETERS, seed=2) != MEMBERS
        assert build_members(KEYS, PARAMETERS, seed=1) == MEMBERS

    def test_have_caps_of_whole_cents_that_a_lane_can_say(self):
        for member in MEMBERS:
            assert member.cap_micros % 10_000 == 0
            assert member.cap_micros < 2**19 * 10_000
            assert member.amount_micros < 2**44

    def test_have_ample_caps_and_funds(self):
        most_wh = max(hour.load_wh for hour in WEEK.home_hours)
        for member in MEMBERS[:-1]:
            assert member.cap_micros >= most_wh * member.buy_limit * 12 // 10_000
            week_wh = sum(h.load_wh for h in WEEK.home_hours if h.home == member.party)
            assert member.amount_micros >= week_wh * member.buy_limit * 12 // 10_000
        operator = MEMBERS[-1]
        stations_wh = len(WEEK.stations) * PARAMETERS.station.rated_w
        assert operator.cap_micros >= stations_wh * operator.buy_limit * 12 // 10_000
        delivered_wh = sum(stay.delivered_wh for stay in WEEK.stays)
        assert operator.amount_micros >= delivered_wh * operator.buy_limit * 12 // 10_000


class TestMembership:
    def test_is_one_authorization_whose_nonce_holds_the_cap(self):
        member = MEMBERS[0]
        body = membership_body(member, PLACES, VALIDITY)
        nonce = hash_struct(
            "Membership",
            {
                "member": body["member"],
                "capMicros": body["cap_micros"],
                "amountMicros": body["amount_micros"],
                "salt": body["salt"],
            },
        )
        values = {
            "from": body["member"],
            "to": PLACES.trade,
            "value": body["amount_micros"],
            "validAfter": body["valid_after"],
            "validBefore": body["valid_before"],
            "nonce": nonce,
        }
        hashed = digest(PLACES.token_domain, "ReceiveWithAuthorization", values)
        signature = bytes.fromhex(body["signature"][2:])
        assert signer_of(hashed, signature) == member.wallet.address
        values["nonce"] = bytes(32)
        hashed = digest(PLACES.token_domain, "ReceiveWithAuthorization", values)
        assert signer_of(hashed, signature) != member.wallet.address

    def test_has_a_salt_of_its_own(self):
        assert len({member.salt for member in MEMBERS}) == len(MEMBERS)


class TestMandate:
    def test_is_signed_by_the_member_for_the_whole_day(self):
        member = MEMBERS[-1]
        body = mandate_body(member, PLACES, VALIDITY)
        (band,) = body["bands"]
        assert (band["from_minute"], band["until_minute"]) == (0, 1_440)
        values = {
            "member": body["member"],
            "bands": [
                {
                    "fromMinute": band["from_minute"],
                    "untilMinute": band["until_minute"],
                    "sellNotBelow": band["sell_not_below"],
                    "buyNotAbove": band["buy_not_above"],
                }
            ],
            "capMicros": body["cap_micros"],
            "validFrom": body["valid_from_s"],
            "validUntil": body["valid_until_s"],
            "nonce": body["nonce"],
        }
        hashed = digest(PLACES.community_domain, "Mandate", values)
        assert signer_of(hashed, bytes.fromhex(body["signature"][2:])) == member.wallet.address

    def test_of_a_later_nonce_is_another(self):
        first = mandate_body(MEMBERS[0], PLACES, VALIDITY)
        second = mandate_body(MEMBERS[0], PLACES, VALIDITY, nonce=2)
        assert first["signature"] != second["signature"]


def joined(handle):
    async def run():
        transport = httpx2.MockTransport(handle)
        async with httpx2.AsyncClient(transport=transport, base_url="http://voisin") as client:
            await join(client, MEMBERS[0], PLACES, VALIDITY)

    asyncio.run(run())


class TestJoin:
    def test_sends_the_membership_then_the_mandate(self):
        seen = []

        def handle(request):
            seen.append((request.url.path, json.loads(request.content)))
            return httpx2.Response(201, json={})

        joined(handle)
        assert seen == [
            ("/api/members", membership_body(MEMBERS[0], PLACES, VALIDITY)),
            ("/api/mandates", mandate_body(MEMBERS[0], PLACES, VALIDITY)),
        ]

    def test_stops_when_the_membership_is_refused(self):
        problem = {"code": "wallet_too_small", "detail": "no money"}
        with pytest.raises(ServiceRefusedError, match="no money"):
            joined(lambda _: httpx2.Response(409, json=problem))
