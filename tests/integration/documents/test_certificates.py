"""A kWh is certified once, with its trade; a disputed one is nobody's; a car's sun has roofs."""

import io
import json
from collections import Counter

import pypdf
import pytest
from sqlalchemy import delete, func, insert, select, update

from contracts.typed_data import digest, sign
from devnet.field.keys import wallet_of as wallet_named
from scripts.sun import sunniest_car
from settlement.audit.certificates import certified_once
from settlement.engine.grid.issuing import freeze_amended, issue_certificates
from settlement.engine.service import wallet_of
from settlement.tables import certificate, event, lot, run, run_member, run_state, session
from settlement.trading.tree import Leaf, check_proof, merkle_root, trade_leaf
from tests.integration.community import SEED

REASON = "the meter was being replaced"


def signed(story, leaf, notice, wallet, nonce=1, reason=REASON):
    """Return a notice as its signer sends it."""
    values = {"certificate": leaf, "notice": notice, "reason": reason, "nonce": nonce}
    seal = sign(digest(story.service.domain, "CertificateNotice", values), wallet.private_key)
    body = {"notice": notice, "reason": reason, "nonce": nonce, "signature": f"0x{seal.hex()}"}
    return json.dumps(body)


async def say(story, leaf, body):
    path, headers = f"/api/certificates/{leaf}/notices", {"content-type": "application/json"}
    answer = await story.client.post(path, content=body, headers=headers)
    return answer.status_code, answer.json().get("code") or answer.json()["state"]


def home_of(story, address):
    """Return the wallet of a home by its address."""
    return next(one for one in story.here.world.keys.homes.values() if one.address_hex == address)


def a_lot(story):
    """Return a lot that one home sold to another."""
    operator = story.here.world.keys.operator.address_hex
    found = select(lot).where(lot.c.buyer != operator).order_by(lot.c.leaf).limit(1)
    return story.read(found)[0]


def law(story):
    with story.service.reading() as connection:
        return certified_once(connection)


class TestCertificates:
    def test_are_issued_in_batches_that_are_whole(self, story):
        """Rival: a batch that always reverted, and claims that missed on-chain volumes."""

        async def work(story):
            lots = story.read(select(lot))
            states = {row["leaf"]: row["state"] for row in story.read(select(certificate))}
            traded = story.read(select(func.sum(run.c.traded_wh).label("wh")))[0]["wh"]
            issued = story.read(select(event.c.body).where(event.c.name == "certificates_issued"))
            return lots, states, traded, [json.loads(row["body"]) for row in issued], law(story)

        lots, states, traded, issued, broken = story(work)
        assert states == {row["leaf"]: "claimed" for row in lots}
        assert sum(row["covered_wh"] for row in lots) == traded > 0
        assert sum(one["energy_wh"] for one in issued) == traded
        assert sum(one["certificates"] for one in issued) == len(lots)
        assert broken is None

    def test_are_those_of_what_a_member_sold_and_bought(self, story):
        async def work(story):
            found = {}
            for name, wallet in story.here.world.keys.homes.items():
                page = await story.client.get(
                    "/api/certificates", params={"member": wallet.address_hex, "limit": 1_000}
                )
                found[name] = page.json()["certificates"]
            return found, story.read(select(lot))

        found, lots = story(work)
        sold = {
            one["id"]: one["energy_wh"]
            for name, mine in found.items()
            for one in mine
            if one["seller"]["party"] == name
        }
        assert sold == {row["leaf"]: row["covered_wh"] for row in lots}
        assert {one["source"] for mine in found.values() for one in mine} == {"sun"}

    def test_are_proven_up_to_the_root_that_the_chain_holds(self, story):
        async def work(story):
            newest = story.read(select(lot).order_by(lot.c.run.desc()).limit(1))[0]
            found = (await story.client.get(f"/api/certificates/{newest['leaf']}")).json()
            trade = story.service.contracts.trade
            answer = story.service.gateway.call(
                trade.address, trade.encode("rootOf", newest["run"]), trade.address
            )
            return newest, found, trade.decode_result("rootOf", answer)[0]

        newest, found, root = story(work)
        proof, raw = found["proof"], bytes.fromhex
        sale = proof["sale"]
        leaf = trade_leaf(
            sale["seller"],
            sale["buyer"],
            sale["energy_wh"],
            int(sale["price_micros_per_kwh"]),
            int(sale["amount_micros"]),
            raw(sale["salt"][2:]),
        )
        assert f"0x{leaf.hex()}" == newest["leaf"] == found["id"]
        assert sale["energy_wh"] == found["traded_wh"]
        told = proof["seller_leaf"]
        check_proof(raw(told["trades_root"][2:]), leaf, [raw(x[2:]) for x in proof["sale_proof"]])
        hashes = ("order_hash", "readings_hash", "trades_root", "salt")
        account = Leaf(
            **{name: told[name] for name in ("run", "interval", "account", "wh_in", "wh_out")},
            **{name: raw(told[name][2:]) for name in hashes},
            net_micros=int(told["net_micros"]),
        )
        held = root if isinstance(root, bytes) else raw(root[2:])
        check_proof(held, account.hash(), [raw(one[2:]) for one in proof["seller_proof"]])
        assert proof["root"] == f"0x{held.hex()}"

    def test_that_nobody_has_are_not_found(self, story):
        async def work(story):
            answers = [
                await story.client.get(f"/api/certificates/0x{'ab' * 32}"),
                await story.client.get("/api/certificates/0xab"),
                await story.client.get("/api/certificates", params={"member": "anna"}),
                await story.client.get(f"/api/sessions/0x{'ab' * 32}/origin"),
            ]
            return [(one.status_code, one.json()["code"]) for one in answers]

        assert story(work) == [
            (404, "unknown_certificate"),
            (422, "malformed_request"),
            (422, "malformed_request"),
            (404, "unknown_session"),
        ]


class TestADispute:
    def test_freezes_a_certificate_until_the_grid_operator_releases_it(self, own_story):
        """Rival: a revoked certificate stayed transferable."""

        async def work(story):
            one, grid = a_lot(story), wallet_named(SEED, "grid")
            leaf = one["leaf"]
            seller, buyer = (home_of(story, one[side]) for side in ("seller", "buyer"))
            freeze = signed(story, leaf, "freeze", buyer)
            with story.service.reading() as connection:
                before = story.service.book.root(connection)[0]
            said = [
                await say(story, leaf, freeze),
                await say(story, leaf, freeze),
                await say(story, leaf, signed(story, leaf, "freeze", buyer, reason="another")),
                await say(story, leaf, signed(story, leaf, "freeze", seller, nonce=2)),
                await say(story, leaf, signed(story, leaf, "release", seller, nonce=3)),
                await say(story, leaf, signed(story, leaf, "release", buyer, nonce=4)),
            ]
            with story.service.writing() as connection:
                issue_certificates(story.service, connection, one["run"])
            frozen = (await story.client.get(f"/api/certificates/{leaf}")).json()["state"]
            with story.service.reading() as connection:
                logged = story.service.book.root(connection)[0] - before
            released = [
                await say(story, leaf, signed(story, leaf, "release", grid, nonce=5)),
                await say(story, leaf, signed(story, leaf, "release", grid, nonce=6)),
            ]
            return said, frozen, logged, released, law(story)

        said, frozen, logged, released, broken = own_story(work)
        assert said == [
            (201, "frozen"),
            (201, "frozen"),
            (409, "message_differs"),
            (409, "certificate_state"),
            (401, "not_signed_by_grid"),
            (401, "not_signed_by_grid"),
        ]
        assert frozen == "frozen"
        assert logged == 5  # what was frozen, and four refusals
        assert released == [(201, "claimed"), (409, "certificate_state")]
        assert broken is None

    def test_is_for_those_whom_it_concerns(self, own_story):
        async def work(story):
            one = a_lot(story)
            leaf, sides = one["leaf"], {one["seller"], one["buyer"]}
            stranger = next(
                wallet
                for wallet in story.here.world.keys.homes.values()
                if wallet.address_hex not in sides
            )
            grid, unknown = wallet_named(SEED, "grid"), f"0x{'ab' * 32}"
            return [
                await say(story, leaf, signed(story, leaf, "freeze", stranger)),
                await say(story, leaf, signed(story, leaf, "burn", grid, nonce=2)),
                await say(story, unknown, signed(story, unknown, "freeze", grid)),
                await say(story, leaf, signed(story, unknown, "freeze", grid, nonce=3)),
                await say(story, leaf, signed(story, leaf, "freeze", grid, nonce=4)),
            ]

        assert own_story(work) == [
            (401, "not_signed_by_grid"),
            (422, "bad_notice"),
            (404, "unknown_certificate"),
            (401, "not_signed_by_grid"),
            (201, "frozen"),
        ]

    def test_before_the_run_is_final_keeps_its_certificate_from_being_claimed(self, own_story):
        async def work(story):
            one, grid = a_lot(story), wallet_named(SEED, "grid")
            leaf, number = one["leaf"], one["run"]
            story.write(delete(certificate).where(certificate.c.run == number))
            story.write(update(run_state).where(run_state.c.run == number).values(state="settling"))
            said = [await say(story, leaf, signed(story, leaf, "freeze", grid))]
            story.write(update(run_state).where(run_state.c.run == number).values(state="final"))
            with story.service.writing() as connection:
                issue_certificates(story.service, connection, number)
            states = story.read(select(certificate).where(certificate.c.run == number))
            lots = story.read(select(lot).where(lot.c.run == number))
            return leaf, said, {row["leaf"]: row["state"] for row in states}, lots, law(story)

        leaf, said, states, lots, broken = own_story(work)
        assert said == [(201, "frozen")]
        assert states.pop(leaf) == "frozen"
        assert set(states) == {row["leaf"] for row in lots} - {leaf}
        assert set(states.values()) == {"claimed"}
        assert broken is None

    def test_that_ends_before_the_run_is_final_lets_it_be_claimed_then(self, own_story):
        async def work(story):
            one, grid = a_lot(story), wallet_named(SEED, "grid")
            leaf, number = one["leaf"], one["run"]
            story.write(delete(certificate).where(certificate.c.run == number))
            story.write(update(run_state).where(run_state.c.run == number).values(state="settling"))
            said = [
                await say(story, leaf, signed(story, leaf, "freeze", grid)),
                await say(story, leaf, signed(story, leaf, "release", grid, nonce=2)),
            ]
            story.write(update(run_state).where(run_state.c.run == number).values(state="final"))
            with story.service.writing() as connection:
                issue_certificates(story.service, connection, number)
            states = story.read(select(certificate.c.state).where(certificate.c.run == number))
            return said, {row["state"] for row in states}

        assert own_story(work) == ([(201, "frozen"), (201, "waiting")], {"claimed"})


def amend(story, number):
    """Let a correction with the same sales follow a run; return its number."""
    row = dict(story.read(select(run).where(run.c.run == number))[0])
    later = number + 1_000
    story.write(insert(run).values(row | {"run": later, "kind": 1, "traded_wh": 0}))
    story.write(insert(run_state).values(run=later, state="settling"))
    for table, key in ((lot, "leaf"), (run_member, "run")):
        for old in story.read(select(table).where(table.c.run == number)):
            changes = {"run": later} | ({"leaf": f"{old[key]}c"} if table is lot else {})
            story.write(insert(table).values(dict(old) | changes))
    return later


class TestACorrection:
    def test_freezes_what_it_amends_and_withdraws_it_when_it_is_final(self, own_story):
        async def work(story):
            one, grid = a_lot(story), wallet_named(SEED, "grid")
            number = one["run"]
            later = amend(story, number)

            def states():
                rows = story.read(select(certificate).where(certificate.c.run.in_((number, later))))
                return {(row["run"] == later, row["state"]) for row in rows}

            with story.service.writing() as connection:
                freeze_amended(story.service, connection, later)
            seen, broken = [states()], [law(story)]
            refused = await say(
                story, one["leaf"], signed(story, one["leaf"], "release", grid, nonce=2)
            )
            story.write(update(run_state).where(run_state.c.run == later).values(state="final"))
            with story.service.writing() as connection:
                issue_certificates(story.service, connection, later)
            seen.append(states())
            broken.append(law(story))
            again = await say(story, one["leaf"], signed(story, one["leaf"], "freeze", grid))
            return seen, refused, again, broken

        seen, refused, again, broken = own_story(work)
        assert seen == [{(False, "frozen")}, {(False, "withdrawn"), (True, "claimed")}]
        assert refused == (409, "certificate_superseded")
        assert again == (409, "certificate_state")
        assert broken == [None, None]

    def test_that_comes_before_its_run_is_final_leaves_nothing_to_claim(self, own_story):
        async def work(story):
            number = a_lot(story)["run"]
            story.write(delete(certificate).where(certificate.c.run == number))
            amend(story, number)
            with story.service.writing() as connection:
                issue_certificates(story.service, connection, number)
            rows = story.read(select(certificate.c.state).where(certificate.c.run == number))
            return {row["state"] for row in rows}

        assert own_story(work) == {"frozen"}


class TestTheLaw:
    @pytest.mark.parametrize(
        ("breaking", "said"),
        [
            (lambda leaf, _: delete(certificate).where(certificate.c.leaf == leaf), "is final"),
            (lambda _, n: update(run_state).where(run_state.c.run == n).values(state="x"), "not"),
        ],
    )
    def test_sees_a_certificate_too_few_or_too_early(self, own_story, breaking, said):
        async def work(story):
            one = a_lot(story)
            story.write(breaking(one["leaf"], one["run"]))
            return law(story)

        assert said in own_story(work)

    def test_sees_an_interval_that_is_certified_twice(self, own_story):
        async def work(story):
            later = amend(story, a_lot(story)["run"])
            story.write(update(run_state).where(run_state.c.run == later).values(state="final"))
            for row in story.read(select(lot.c.leaf).where(lot.c.run == later)):
                fresh = {"leaf": row["leaf"], "run": later, "state": "claimed"}
                story.write(insert(certificate).values(fresh))
            return law(story)

        assert "is certified by two runs" in own_story(work)

    def test_sees_lots_that_are_not_what_was_traded(self, own_story):
        async def work(story):
            number = a_lot(story)["run"]
            more = {"leaf": "0xmore", "run": number, "seller": "0x1", "buyer": "0x2"}
            story.write(insert(lot).values(**more, energy_wh=1, covered_wh=1))
            return law(story)

        assert "traded" in own_story(work)


class TestTheSunInCars:
    def test_is_over_all_sessions_what_the_operator_bought_of_each_roof(self, story):
        async def work(story):
            drawn, sums = Counter(), []
            for row in story.read(select(session).where(session.c.state == "closed")):
                path = f"/api/sessions/{row['session_id']}"
                found = (await story.client.get(f"{path}/origin")).json()
                for part in found["intervals"]:
                    drawn[part["certificate"]] += part["energy_wh"]
                receipt = (await story.client.get(f"{path}/receipt.json")).json()
                sums.append((found, receipt["sun"], row["energy_wh"]))
            with story.service.reading() as connection:
                operator = wallet_of(connection, story.service.rules.operator_party)
            bought = story.read(select(lot).where(lot.c.buyer == operator))
            sold = story.read(select(func.sum(run.c.sun_to_cars_wh).label("wh")))[0]["wh"]
            return drawn, {row["leaf"]: row["covered_wh"] for row in bought}, sums, sold

        drawn, bought, sums, sold = story(work)
        assert drawn == bought
        assert sum(drawn.values()) == sold > 0
        for found, sun, energy_wh in sums:
            assert found["settled"]
            assert found["sun_wh"] == int(sun["energy_wh"]) <= energy_wh
            assert found["sun_wh"] == sum(roof["energy_wh"] for roof in found["roofs"])
            told = [(roof["party"], roof["energy_wh"]) for roof in sun["roofs"]]
            assert told == [(roof["party"], roof["energy_wh"]) for roof in found["roofs"]]

    def test_is_on_the_receipt_and_on_the_drivers_page_in_two_languages(self, story):
        async def work(story):
            with story.service.reading() as connection:
                car = sunniest_car(story.service, connection)
            pages = [
                await story.client.get(
                    f"/sessions/{car.session_id}", headers={"accept-language": language}
                )
                for language in ("en", "fr")
            ]
            paper = await story.client.get(f"/api/sessions/{car.session_id}/receipt.pdf?lang=en")
            return car, [page.text for page in pages], paper.content

        car, pages, paper = story(work)
        party, energy_wh = car.roofs[0]
        text = " ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(paper)).pages)
        for title, page in zip(("The sun in your battery", "Le soleil"), pages, strict=True):
            assert title in page
            assert party in page
        kwh = f"{energy_wh // 1_000}.{energy_wh % 1_000:03}".rstrip("0").rstrip(".")
        assert party in text
        assert kwh in text
        assert car.lines()[1].startswith(f"  {energy_wh // 1_000}.{energy_wh % 1_000:03} kWh from ")

    def test_has_roots_that_come_out_of_its_lots(self, story):
        """Leaves of a seller's lots, in the buyers' order, are what its account's leaf holds."""

        async def work(story):
            rows = story.read(select(lot).order_by(lot.c.run, lot.c.seller, lot.c.buyer))
            first = rows[0]
            mine = [r for r in rows if (r["run"], r["seller"]) == (first["run"], first["seller"])]
            found = (await story.client.get(f"/api/certificates/{first['leaf']}")).json()
            return [row["leaf"] for row in mine], found["proof"]["seller_leaf"]["trades_root"]

        leaves, root = story(work)
        assert f"0x{merkle_root([bytes.fromhex(one[2:]) for one in leaves]).hex()}" == root
