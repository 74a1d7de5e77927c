"""Charge sessions of every kind through the ChargeVault, for the gas that their receipts say."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from contracts.typed_data import Domain, sign
from contracts.typed_data import digest as typed_digest
from devnet.field.drivers import Terms
from devnet.field.keys import Curve, Role, Wallet, wallet_of
from devnet.store.history import Mined
from ledger.units import Micros
from scripts.benchmarks.stage import INTERVAL_S, Meter, Stage, terms_tuple
from scripts.benchmarks.volume.gas_parts import NOTHING, Act

BATCH: Final = 60
"""Sessions of a batch."""

_SEED: Final = 1
_STANDING_MICROS: Final = Micros(200_000_000)
_SESSION_WH: Final = 5_000


def acts(stage: Stage) -> Iterator[Act]:
    """Charge sessions of every kind; yield what each is measured by."""
    sessions = Sessions(stage)
    nothing = stage.nothing()
    opened, closed = sessions.by_record(Curve.SECP256R1)
    _, closed_k1 = sessions.by_record(Curve.SECP256K1)
    credited = sessions.by_record_to_credit()
    standing = sessions.by_gateway()
    batched = sessions.by_gateway_in_batches()
    yield Act("open", (opened,), nothing, NOTHING)
    yield Act("close_with_ocmf", (credited,), nothing, NOTHING)
    yield Act("close_with_ocmf_pushed", (closed,), nothing, NOTHING)
    yield Act("close_with_ocmf_pushed_k1", (closed_k1,), nothing, NOTHING)
    yield Act("ev_session_ocmf_pushed", (opened, closed), nothing, NOTHING)
    yield Act("ev_session_standing", standing, nothing, NOTHING)
    yield Act("ev_session_batched", batched, nothing, NOTHING, BATCH)


class Sessions:
    """Opens and closes sessions on a stage; a second one of each kind is what is measured."""

    def __init__(self, stage: Stage) -> None:
        self._stage: Final = stage
        self._vault: Final = stage.vault
        self._domain: Final = Domain("Voisin", "1", stage.places.chain_id, stage.vault.address)
        self._opened: Final[dict[str, int]] = {}

    def by_record(self, curve: Curve) -> tuple[Mined, Mined]:
        """Return the transactions of a session from a wallet, closed by its meter's record."""
        meter = self._stage.enrol(curve.name, curve)
        self._stage.send(self._vault.address, self._stage.open_session(meter).data)
        closing = self._stage.open_session(meter)
        return closing.opened, self._stage.send(self._vault.address, closing.data)

    def by_record_to_credit(self) -> Mined:
        """Return the close of a session from a standing balance by a P-256 meter's record."""
        meter = self._stage.enrol("credit", Curve.SECP256R1)
        driver = self._standing("credit")
        found: list[Mined] = []
        for _ in range(2):
            terms = self._terms(meter, driver)
            begin_s = self._stage.now_s
            opening = self._open(driver, terms, meter.pages)
            self._stage.pass_time(INTERVAL_S)
            data = self._stage.record_closing(meter, terms, opening, begin_s)
            found.append(self._stage.send(self._vault.address, data))
        return found[-1]

    def by_gateway(self) -> tuple[Mined, Mined]:
        """Return the transactions of a session that a driver opens from a standing balance."""
        meter = self._stage.enrol("gateway", Curve.SECP256K1, Role.GATEWAY)
        driver = self._standing("standing")
        found: list[tuple[Mined, Mined]] = []
        for _ in range(2):
            terms = self._terms(meter, driver)
            data = self._vault.encode("openFromBalance", terms_tuple(terms), b"")
            opened = self._stage.send_as(driver, self._vault.address, data)
            self._opened[driver.address_hex] = int.from_bytes(terms.salt)
            opening = (self._stage.head_s, 0, False)
            self._stage.pass_time(INTERVAL_S)
            closing = self._reading_closing(meter, terms, opening)
            data = self._vault.encode("close", *closing)
            found.append((opened, self._stage.send(self._vault.address, data)))
        return found[-1]

    def by_gateway_in_batches(self) -> tuple[Mined, Mined]:
        """Return the two transactions of sixty sessions, each with its own driver and meter."""
        meters = [
            self._stage.enrol(f"batch-{number}", Curve.SECP256K1, Role.GATEWAY)
            for number in range(BATCH)
        ]
        drivers = [self._standing(f"batch-{number}") for number in range(BATCH)]
        found: list[tuple[Mined, Mined]] = []
        for _ in range(2):
            sessions = [
                self._terms(meter, driver) for meter, driver in zip(meters, drivers, strict=True)
            ]
            found.append(self._batch(meters, drivers, sessions))
        return found[-1]

    def _batch(
        self, meters: Sequence[Meter], drivers: Sequence[Wallet], sessions: Sequence[Terms]
    ) -> tuple[Mined, Mined]:
        orders = [
            (terms_tuple(terms), self._signed(driver, terms))
            for driver, terms in zip(drivers, sessions, strict=True)
        ]
        opened = self._stage.send(self._vault.address, self._vault.encode("openBatch", orders))
        for terms in sessions:
            self._opened[terms.driver] = int.from_bytes(terms.salt)
        opening = (self._stage.head_s, 0, False)
        self._stage.pass_time(INTERVAL_S)
        closings = [
            self._reading_closing(meter, terms, opening)
            for meter, terms in zip(meters, sessions, strict=True)
        ]
        data = self._vault.encode("closeBatch", closings)
        return opened, self._stage.send(self._vault.address, data)

    def _standing(self, name: str) -> Wallet:
        """Return a driver with money in a purse."""
        driver = wallet_of(_SEED, f"driver-{name}")
        self._stage.fund(driver)
        token = self._stage.token
        approval = token.encode("approve", self._vault.address, _STANDING_MICROS)
        self._stage.send_as(driver, token.address, approval)
        data = self._vault.encode("deposit", driver.address_hex, 0, _STANDING_MICROS)
        self._stage.send_as(driver, self._vault.address, data)
        return driver

    def _terms(self, meter: Meter, driver: Wallet) -> Terms:
        number = self._opened.get(driver.address_hex, 0) + 1
        salt = number.to_bytes(32)
        return replace(self._stage.terms(meter), driver=driver.address_hex, salt=salt)

    def _open(self, driver: Wallet, terms: Terms, page: int) -> tuple[int, int, bool]:
        signature = self._signed(driver, terms)
        data = self._vault.encode("openFromBalance", terms_tuple(terms), signature)
        self._stage.send(self._vault.address, data)
        self._opened[terms.driver] = int.from_bytes(terms.salt)
        return (self._stage.head_s, page, False)

    def _signed(self, driver: Wallet, terms: Terms) -> bytes:
        return sign(typed_digest(self._domain, "SessionTerms", terms.values()), driver.private_key)

    def _reading_closing(
        self, meter: Meter, terms: Terms, opening: tuple[int, int, bool]
    ) -> tuple[object, ...]:
        begin_wh = meter.register_wh
        meter.register_wh += _SESSION_WH
        reading = (begin_wh, meter.register_wh, self._stage.now_s)
        values: dict[str, object] = {
            "sessionId": terms.session_id,
            "meterId": terms.meter_id,
            "beginWh": reading[0],
            "endWh": reading[1],
            "endedAt": reading[2],
        }
        signature = sign(
            typed_digest(self._domain, "SessionReading", values), meter.key.private_key
        )
        return (terms_tuple(terms), opening, reading, signature)
