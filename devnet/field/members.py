"""
Act for members: homes and the station operator join the community and set their limits.

A member signs twice, once for the money and the cap, once for the limits, and is done.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

import httpx2

from contracts.typed_data import digest, hash_struct, sign
from devnet.field.keys import OPERATOR, FieldKeys, Wallet
from devnet.field.parameters import Parameters
from devnet.field.service import Authorization, Places, authorize, post
from ledger.units import Micros, MicrosPerKilowattHour, UnixSeconds

MEMBERS_PATH: Final = "/api/members"
MANDATES_PATH: Final = "/api/mandates"

_DAY_MINUTES: Final = 1_440


@dataclass(frozen=True, slots=True)
class Validity:
    """From when until when something counts."""

    from_s: UnixSeconds
    """First instant."""
    until_s: UnixSeconds
    """First instant after it."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the community, with the limits it sets once."""

    party: str
    """Name of the party."""
    wallet: Wallet
    """Its wallet."""
    cap_micros: Micros
    """Most it may be debited per interval."""
    amount_micros: Micros
    """What it puts into the TradeLedger."""
    sell_limit: MicrosPerKilowattHour
    """It sells for no less."""
    buy_limit: MicrosPerKilowattHour
    """It buys for no more: energy, toll and levy, before VAT."""
    salt: bytes
    """Salt of its membership, 32 bytes."""

    @property
    def membership(self) -> bytes:
        """Hash of the membership (decision 0003), 32 bytes: the nonce of the deposit."""
        values: dict[str, object] = {
            "member": self.wallet.address_hex,
            "capMicros": self.cap_micros,
            "amountMicros": self.amount_micros,
            "salt": self.salt,
        }
        return hash_struct("Membership", values)


def build_members(keys: FieldKeys, parameters: Parameters, *, seed: int) -> tuple[Member, ...]:
    """Return every home and the station operator as members, limits drawn from the seed."""
    funds, limits = parameters.funds, parameters.limits
    wallets = {**keys.homes, OPERATOR: keys.operator}
    members = []
    for party, wallet in wallets.items():
        is_operator = party == OPERATOR
        sell = _steps(seed, f"sell\0{party}", limits.sell_max - limits.sell_min, limits.step)
        buy = _steps(seed, f"buy\0{party}", limits.buy_max - limits.buy_min, limits.step)
        members.append(
            Member(
                party=party,
                wallet=wallet,
                cap_micros=funds.operator_cap if is_operator else funds.home_cap,
                amount_micros=funds.operator_deposit if is_operator else funds.home_deposit,
                sell_limit=MicrosPerKilowattHour(limits.sell_min + sell),
                buy_limit=MicrosPerKilowattHour(limits.buy_min + buy),
                salt=_draw(seed, f"membership\0{party}"),
            )
        )
    return tuple(members)


def membership_body(member: Member, places: Places, validity: Validity) -> dict[str, object]:
    """
    Return the body of ``POST /api/members``: one signature for the money and the cap.

    The ERC-3009 nonce is the hash of the membership, so nobody can bring the money with another
    cap. It counts strictly between the two instants of ``validity``.
    """
    authorization = Authorization(
        payer=member.wallet.address_hex,
        payee=places.trade,
        amount_micros=member.amount_micros,
        valid_after_s=validity.from_s,
        valid_before_s=validity.until_s,
        nonce=member.membership,
    )
    return {
        "party": member.party,
        "member": member.wallet.address_hex,
        "cap_micros": member.cap_micros,
        "amount_micros": member.amount_micros,
        "salt": "0x" + member.salt.hex(),
        "valid_after": validity.from_s,
        "valid_before": validity.until_s,
        "signature": "0x" + authorize(authorization, member.wallet, places).hex(),
    }


def mandate_body(
    member: Member, places: Places, validity: Validity, *, nonce: int = 1
) -> dict[str, object]:
    """
    Return the body of ``POST /api/mandates``: the member's limits, signed (EIP-712 ``Mandate``).

    One band holds the whole day. A later mandate has a higher nonce.
    """
    band: dict[str, object] = {
        "fromMinute": 0,
        "untilMinute": _DAY_MINUTES,
        "sellNotBelow": member.sell_limit,
        "buyNotAbove": member.buy_limit,
    }
    values: dict[str, object] = {
        "member": member.wallet.address_hex,
        "bands": [band],
        "capMicros": member.cap_micros,
        "validFrom": validity.from_s,
        "validUntil": validity.until_s,
        "nonce": nonce,
    }
    hashed = digest(places.community_domain, "Mandate", values)
    return {
        "member": member.wallet.address_hex,
        "bands": [
            {
                "from_minute": 0,
                "until_minute": _DAY_MINUTES,
                "sell_not_below": member.sell_limit,
                "buy_not_above": member.buy_limit,
            }
        ],
        "cap_micros": member.cap_micros,
        "valid_from_s": validity.from_s,
        "valid_until_s": validity.until_s,
        "nonce": nonce,
        "signature": "0x" + sign(hashed, member.wallet.private_key).hex(),
    }


async def join(
    client: httpx2.AsyncClient, member: Member, places: Places, validity: Validity
) -> None:
    """
    Join the community and set the limits; doing it again changes nothing (law L6).

    Raises
    ------
    ServiceRefusedError
        If the service refuses.
    """
    await post(client, MEMBERS_PATH, membership_body(member, places, validity))
    await post(client, MANDATES_PATH, mandate_body(member, places, validity))


def _draw(seed: int, subject: str) -> bytes:
    return hmac.digest(str(seed).encode(), f"member\0{subject}".encode(), hashlib.sha256)


def _steps(seed: int, subject: str, span_micros: int, step_micros: int) -> int:
    """Return a whole number of steps from 0 to ``span_micros``, in micros per kWh."""
    steps = span_micros // step_micros + 1
    return int.from_bytes(_draw(seed, subject)) % steps * step_micros
