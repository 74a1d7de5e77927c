"""
Decide where the service may be sent by those who subscribe.

An address is looked up each time, every answer must be one of the public internet, and the
connection goes to the address that was checked, so a name cannot point inside in between. Only
where private addresses are allowed, as on a machine that serves nobody else, may it be any.
"""

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from typing import Final

import httpx2

from ledger.errors import InvalidRequest, Unavailable

_URL_MAX: Final = 1_000
_PORTS: Final = {"http": 80, "https": 443}


class BadAddressError(InvalidRequest):
    """An address that the service is not to be sent to."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_address", detail)


class NameNotFoundError(Unavailable):
    """A host name that does not resolve now."""

    def __init__(self, host: str) -> None:
        super().__init__("name_not_found", f"{host} does not resolve", transient=True)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a request goes."""

    url: httpx2.URL
    """Address with the host's number in place of its name."""
    host: str
    """Name for the ``Host`` header, port included where it is not the usual one."""
    name: str
    """Name that the certificate must carry."""


def parsed(url: str, *, private: bool) -> httpx2.URL:
    """
    Return ``url`` if it is one that may be subscribed; nothing is looked up.

    Raises
    ------
    BadAddressError
        If it is no ``https`` address, or ``http`` where private addresses are allowed.
    """
    try:
        found = httpx2.URL(url)
    except httpx2.InvalidURL as fault:
        raise BadAddressError("not an address") from fault
    allowed = ("https", "http") if private else ("https",)
    if len(url) > _URL_MAX or found.scheme not in allowed or not found.host:
        raise BadAddressError(f"not an address that begins with {' or '.join(allowed)}")
    if found.userinfo or found.fragment:
        raise BadAddressError("an address carries no user and no fragment")
    return found


async def located(url: str, *, private: bool) -> Address:
    """
    Look up ``url`` and return where to connect.

    Raises
    ------
    BadAddressError
        If it may not be subscribed, or leads to a private address.
    NameNotFoundError
        If its host does not resolve.
    """
    found = parsed(url, private=private)
    port = found.port or _PORTS[found.scheme]
    try:
        answers = await asyncio.get_running_loop().getaddrinfo(
            found.host, port, type=socket.SOCK_STREAM
        )
    except OSError as fault:
        raise NameNotFoundError(found.host) from fault
    numbers = [str(one[4][0]) for one in answers]
    if not private:
        for number in numbers:
            if not ipaddress.ip_address(number).is_global:
                raise BadAddressError(f"{found.host} is not on the public internet")
    host = found.netloc.decode("ascii")
    return Address(found.copy_with(host=numbers[0]), host, found.host)
