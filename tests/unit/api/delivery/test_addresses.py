"""Where the service lets itself be sent by those who subscribe."""

import asyncio
import socket

import pytest

from api.delivery.addresses import BadAddressError, NameNotFoundError, located, parsed

PRIVATE = (
    "127.0.0.1",
    "10.1.2.3",
    "192.168.0.1",
    "172.16.0.1",
    "169.254.169.254",
    "0.0.0.0",  # noqa: S104 - an address that must be refused
    "100.64.0.1",
    "[::1]",
    "[fe80::1]",
    "[fd00::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
)


def find(url, *, private=False):
    return asyncio.run(located(url, private=private))


def resolving_to(monkeypatch, *numbers):
    async def getaddrinfo(_loop, _host, port, **_kinds):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in numbers]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)


class TestLocated:
    @pytest.mark.parametrize("host", PRIVATE)
    def test_refuses_private_numbers(self, host):
        with pytest.raises(BadAddressError):
            find(f"https://{host}/hook")

    def test_refuses_a_name_of_which_one_answer_is_private(self, monkeypatch):
        resolving_to(monkeypatch, "9.9.9.9", "10.0.0.1")
        with pytest.raises(BadAddressError):
            find("https://two-faced.example/")

    def test_connects_to_the_number_that_it_checked(self, monkeypatch):
        resolving_to(monkeypatch, "9.9.9.9")
        found = find("https://hooks.example:8443/a?b=c")
        assert str(found.url) == "https://9.9.9.9:8443/a?b=c"
        assert (found.host, found.name) == ("hooks.example:8443", "hooks.example")

    def test_takes_any_where_private_ones_are_allowed(self):
        assert find("http://127.0.0.1:9/x", private=True).url.port == 9

    def test_says_that_a_name_does_not_resolve(self, monkeypatch):
        async def getaddrinfo(*_given, **_kinds):
            raise socket.gaierror

        monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
        with pytest.raises(NameNotFoundError) as caught:
            find("https://nowhere.example/")
        assert caught.value.transient


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "hooks.example",
        "https://",
        "https://user:word@hooks.example/",
        "https://hooks.example/#part",
        "https://hooks.example/" + "a" * 1_000,
        "https://hooks.example:port/",
        "",
    ],
)
def test_no_other_address_can_be_subscribed(url):
    with pytest.raises(BadAddressError):
        parsed(url, private=False)
