"""The sentence of each reason, in English and French, by side where the sides differ."""

from collections.abc import Mapping
from typing import Final

from settlement.trading.exact import Language
from settlement.trading.explaining.reasons import Reason
from settlement.trading.orders.standing import Side

WORDS: Final[Mapping[Language, Mapping[tuple[Reason, Side], str]]] = {
    Language.EN: {
        (Reason.SERVED, Side.SELL): "Sold in full: {served_wh} at {price_per_kwh}.",
        (Reason.SERVED, Side.BUY): "Bought in full: {served_wh} at {price_per_kwh}.",
        (Reason.KEY_SHARE, Side.SELL): (
            "Sold {served_wh} of {energy_wh}; {key_wh} of it is its part by the sharing key,"
            " at {key_price_per_kwh}."
        ),
        (Reason.KEY_SHARE, Side.BUY): (
            "Bought {served_wh} of {energy_wh}; {key_wh} of it is its part by the sharing key,"
            " at {key_price_per_kwh}."
        ),
        (Reason.AT_THE_MARGIN, Side.SELL): (
            "Sold {served_wh} of {energy_wh}: its limit {limit_per_kwh} is where supply met demand,"
            " and of {level_wh} offered there at this limit {level_served_wh} were needed."
        ),
        (Reason.AT_THE_MARGIN, Side.BUY): (
            "Bought {served_wh} of {energy_wh}: its limit {limit_per_kwh} is where supply met"
            " demand, and for {level_wh} asked there at this limit {level_served_wh} were left."
        ),
        (Reason.LIMIT_ABOVE_PRICE, Side.SELL): (
            "Sold {served_wh} of {energy_wh}: a price of {price_per_kwh} less tolls of"
            " {tolls_per_kwh} is below its limit {limit_per_kwh}."
        ),
        (Reason.LIMIT_BELOW_PRICE, Side.BUY): (
            "Bought {served_wh} of {energy_wh}: a price of {price_per_kwh} and tolls of"
            " {tolls_per_kwh} are above its limit {limit_per_kwh}."
        ),
        (Reason.CAP_BINDS, Side.SELL): (
            "Sold {served_wh} of {energy_wh}: beyond the edge of {edge} its limit {limit_per_kwh}"
            " suits the price {price_per_kwh}, tolls {tolls_per_kwh}, but the grid operator's cap"
            " lets no more over (worth of one more kWh: {shadow_per_kwh})."
        ),
        (Reason.CAP_BINDS, Side.BUY): (
            "Bought {served_wh} of {energy_wh}: beyond the edge of {edge} its limit {limit_per_kwh}"
            " suits the price {price_per_kwh}, tolls {tolls_per_kwh}, but the grid operator's cap"
            " lets no more over (worth of one more kWh: {shadow_per_kwh})."
        ),
        (Reason.NO_COUNTERPARTY, Side.SELL): (
            "Sold nothing of {energy_wh}: no neighbor asked for energy at {limit_per_kwh} or more."
        ),
        (Reason.NO_COUNTERPARTY, Side.BUY): (
            "Bought nothing of {energy_wh}: no neighbor offered energy at {limit_per_kwh} or less."
        ),
        (Reason.CLAMPED_TO_FUNDS, Side.SELL): (
            "Offered {offered_wh} of {energy_wh}, as far as {spendable_micros} of free funds pay;"
            " sold {served_wh}."
        ),
        (Reason.CLAMPED_TO_FUNDS, Side.BUY): (
            "Asked for {offered_wh} of {energy_wh}, as far as {spendable_micros} of free funds pay;"
            " bought {served_wh}."
        ),
        (Reason.CLAMPED_TO_CAP, Side.SELL): (
            "Offered {offered_wh} of {energy_wh}, as far as its own cap of {spendable_micros}"
            " allows; sold {served_wh}."
        ),
        (Reason.CLAMPED_TO_CAP, Side.BUY): (
            "Asked for {offered_wh} of {energy_wh}, as far as its own cap of {spendable_micros}"
            " allows; bought {served_wh}."
        ),
        (Reason.NO_MANDATE, Side.SELL): (
            "Sold nothing of {energy_wh}: the member has no mandate in force."
        ),
        (Reason.NO_MANDATE, Side.BUY): (
            "Bought nothing of {energy_wh}: the member has no mandate in force."
        ),
        (Reason.NOTHING_METERED, Side.SELL): (
            "Sold nothing of {energy_wh}: the meter left no surplus for it."
        ),
        (Reason.NOTHING_METERED, Side.BUY): (
            "Bought nothing of {energy_wh}: the meter left no need for it."
        ),
        (Reason.OWN_ORDER, Side.SELL): (
            "Sold nothing of {energy_wh}: it would have met the member's own firm order to buy."
        ),
        (Reason.OWN_ORDER, Side.BUY): (
            "Bought nothing of {energy_wh}: it would have met the member's own firm order to sell."
        ),
        (Reason.EXPIRED, Side.SELL): "Sold nothing of {energy_wh}: the order had expired.",
        (Reason.EXPIRED, Side.BUY): "Bought nothing of {energy_wh}: the order had expired.",
        (Reason.OUTSIDE_HOURS, Side.SELL): (
            "Sold nothing of {energy_wh}: the order is not for this interval."
        ),
        (Reason.OUTSIDE_HOURS, Side.BUY): (
            "Bought nothing of {energy_wh}: the order is not for this interval."
        ),
    },
    Language.FR: {
        (Reason.SERVED, Side.SELL): "Tout est vendu : {served_wh} à {price_per_kwh}.",
        (Reason.SERVED, Side.BUY): "Tout est acheté : {served_wh} à {price_per_kwh}.",
        (Reason.KEY_SHARE, Side.SELL): (
            "Vendu {served_wh} sur {energy_wh}, dont {key_wh} selon la clé de répartition,"
            " à {key_price_per_kwh}."
        ),
        (Reason.KEY_SHARE, Side.BUY): (
            "Acheté {served_wh} sur {energy_wh}, dont {key_wh} selon la clé de répartition,"
            " à {key_price_per_kwh}."
        ),
        (Reason.AT_THE_MARGIN, Side.SELL): (
            "Vendu {served_wh} sur {energy_wh} : sa limite {limit_per_kwh} est là où l'offre"
            " rencontre la demande ; sur {level_wh} offerts à cette limite, {level_served_wh}"
            " ont trouvé preneur."
        ),
        (Reason.AT_THE_MARGIN, Side.BUY): (
            "Acheté {served_wh} sur {energy_wh} : sa limite {limit_per_kwh} est là où l'offre"
            " rencontre la demande ; pour {level_wh} demandés à cette limite, il restait"
            " {level_served_wh}."
        ),
        (Reason.LIMIT_ABOVE_PRICE, Side.SELL): (
            "Vendu {served_wh} sur {energy_wh} : un prix de {price_per_kwh} moins des péages de"
            " {tolls_per_kwh} est au-dessous de sa limite {limit_per_kwh}."
        ),
        (Reason.LIMIT_BELOW_PRICE, Side.BUY): (
            "Acheté {served_wh} sur {energy_wh} : un prix de {price_per_kwh} plus des péages de"
            " {tolls_per_kwh} dépasse sa limite {limit_per_kwh}."
        ),
        (Reason.CAP_BINDS, Side.SELL): (
            "Vendu {served_wh} sur {energy_wh} : au-delà de la liaison de {edge}, sa limite"
            " {limit_per_kwh} convient au prix {price_per_kwh}, péages {tolls_per_kwh}, mais la"
            " limite du gestionnaire de réseau ne laisse plus rien passer (valeur d'un kWh de"
            " plus : {shadow_per_kwh})."
        ),
        (Reason.CAP_BINDS, Side.BUY): (
            "Acheté {served_wh} sur {energy_wh} : au-delà de la liaison de {edge}, sa limite"
            " {limit_per_kwh} convient au prix {price_per_kwh}, péages {tolls_per_kwh}, mais la"
            " limite du gestionnaire de réseau ne laisse plus rien passer (valeur d'un kWh de"
            " plus : {shadow_per_kwh})."
        ),
        (Reason.NO_COUNTERPARTY, Side.SELL): (
            "Rien vendu sur {energy_wh} : aucun voisin ne demandait d'énergie à {limit_per_kwh}"
            " ou plus."
        ),
        (Reason.NO_COUNTERPARTY, Side.BUY): (
            "Rien acheté sur {energy_wh} : aucun voisin n'offrait d'énergie à {limit_per_kwh}"
            " ou moins."
        ),
        (Reason.CLAMPED_TO_FUNDS, Side.SELL): (
            "Offert {offered_wh} sur {energy_wh}, autant que {spendable_micros} de solde libre le"
            " permettent ; vendu {served_wh}."
        ),
        (Reason.CLAMPED_TO_FUNDS, Side.BUY): (
            "Demandé {offered_wh} sur {energy_wh}, autant que {spendable_micros} de solde libre le"
            " permettent ; acheté {served_wh}."
        ),
        (Reason.CLAMPED_TO_CAP, Side.SELL): (
            "Offert {offered_wh} sur {energy_wh}, autant que son propre plafond de"
            " {spendable_micros} le permet ; vendu {served_wh}."
        ),
        (Reason.CLAMPED_TO_CAP, Side.BUY): (
            "Demandé {offered_wh} sur {energy_wh}, autant que son propre plafond de"
            " {spendable_micros} le permet ; acheté {served_wh}."
        ),
        (Reason.NO_MANDATE, Side.SELL): (
            "Rien vendu sur {energy_wh} : le membre n'a pas de mandat en vigueur."
        ),
        (Reason.NO_MANDATE, Side.BUY): (
            "Rien acheté sur {energy_wh} : le membre n'a pas de mandat en vigueur."
        ),
        (Reason.NOTHING_METERED, Side.SELL): (
            "Rien vendu sur {energy_wh} : le compteur ne lui a laissé aucun surplus."
        ),
        (Reason.NOTHING_METERED, Side.BUY): (
            "Rien acheté sur {energy_wh} : le compteur ne lui a laissé aucun besoin."
        ),
        (Reason.OWN_ORDER, Side.SELL): (
            "Rien vendu sur {energy_wh} : il aurait rencontré l'ordre d'achat ferme du membre"
            " lui-même."
        ),
        (Reason.OWN_ORDER, Side.BUY): (
            "Rien acheté sur {energy_wh} : il aurait rencontré l'ordre de vente ferme du membre"
            " lui-même."
        ),
        (Reason.EXPIRED, Side.SELL): "Rien vendu sur {energy_wh} : l'ordre avait expiré.",
        (Reason.EXPIRED, Side.BUY): "Rien acheté sur {energy_wh} : l'ordre avait expiré.",
        (Reason.OUTSIDE_HOURS, Side.SELL): (
            "Rien vendu sur {energy_wh} : l'ordre n'est pas pour cet intervalle."
        ),
        (Reason.OUTSIDE_HOURS, Side.BUY): (
            "Rien acheté sur {energy_wh} : l'ordre n'est pas pour cet intervalle."
        ),
    },
}
"""Every reason that a side can have; names in braces are numbers of the explanation."""
