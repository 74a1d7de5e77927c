"""Say what a simple tariff's charge is made of: energy, flat fee, and what the operator bears."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

from ledger.units import WHOLE_BP, BasisPoints, Micros, WattHours, cost_floor
from settlement.charging.documents.exact import euros, nearest
from settlement.charging.documents.facts import AgreedTariff, ChargeLine
from settlement.pricing.billing import vat_inside

_MICROS: Final = 1_000_000
_PRICE_DECIMALS: Final = 6


def simple_lines(
    energy_wh: WattHours, charge_micros: Micros, tariff: AgreedTariff
) -> tuple[ChargeLine, ...]:
    """
    Return the lines of a charge by price per kWh and flat fee; they sum to it exactly.

    The VAT inside the charge is worked out once, then shared out: each line's net is rounded down
    and the first line takes what is left over. What the deposit did not cover is a line below zero.

    Parameters
    ----------
    energy_wh
        Energy billed, in Wh.
    charge_micros
        What the contract took, VAT included.
    tariff
        What was agreed.
    """
    cost = cost_floor(energy_wh, tariff.price_micros_per_kwh)
    flat = tariff.flat_micros if energy_wh else Micros(0)
    above = Micros(charge_micros - cost - flat)
    parts = (
        ("ENERGY", str(energy_wh), tariff.price_micros_per_kwh, cost),
        ("FLAT", "1", tariff.flat_micros, flat),
        ("OVERRUN" if above < 0 else "COSIGNED", "1", None, above),
    )
    given = [one for one in parts if one[3] or one[0] == "ENERGY"]
    vat = vat_inside(charge_micros, tariff.vat_bp)
    nets = _nets([one[3] for one in given], Micros(charge_micros - vat), tariff.vat_bp)
    return tuple(
        ChargeLine(
            dimension=name,
            volume=volume,
            unit_price="" if price is None else f"{euros(Micros(price)):f}",
            net_micros=net,
            vat_bp=tariff.vat_bp,
            vat_micros=Micros(gross - net),
            rail="chain",
        )
        for (name, volume, price, gross), net in zip(given, nets, strict=True)
    )


def price_without_vat(price_micros: int, vat_bp: BasisPoints) -> Decimal:
    """Return a price that includes VAT without it, to the nearest millionth of the currency."""
    return nearest(
        Fraction(price_micros * WHOLE_BP, _MICROS * (WHOLE_BP + vat_bp)), _PRICE_DECIMALS
    )


def _nets(gross_micros: Sequence[Micros], net_micros: Micros, vat_bp: BasisPoints) -> list[Micros]:
    """Return the net of each line, so that they sum to the net of all."""
    nets = [one * WHOLE_BP // (WHOLE_BP + vat_bp) for one in gross_micros]
    nets[0] += net_micros - sum(nets)
    return [Micros(one) for one in nets]
