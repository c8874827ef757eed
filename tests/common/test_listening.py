"""Addresses to listen at, and the sockets there."""

from contextlib import suppress

import pytest

from framewire.common.errors import EndpointError, TransportError
from framewire.common.listening import Address, listen, parse_address

LOCAL = Address("127.0.0.1", 0)


@pytest.mark.parametrize(
    ("text", "host", "port", "local", "everywhere"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080, True, False),
        ("127.8.9.10:1", "127.8.9.10", 1, True, False),
        ("localhost:0", "localhost", 0, True, False),
        ("[::1]:80", "::1", 80, True, False),
        ("0.0.0.0:8080", "0.0.0.0", 8080, False, True),
        ("[::]:8080", "::", 8080, False, True),
        ("192.0.2.1:65535", "192.0.2.1", 65535, False, False),
        ("lab-pi:8080", "lab-pi", 8080, False, False),
    ],
)
def test_addresses(text: str, host: str, port: int, local: bool, everywhere: bool) -> None:
    address = parse_address(text)
    assert (address.host, address.port) == (host, port)
    assert (address.local, address.everywhere) == (local, everywhere)
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    ["", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "a b:80",
     "::1:80", "[::1]", "127.0.0.1:80\n", "http://127.0.0.1:80", "127.0.0.1:80/", "a\0b:80"],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(EndpointError, match="use HOST:PORT"):
        parse_address(text)


def test_a_port_that_the_system_chooses() -> None:
    with listen(LOCAL) as listener, listen(LOCAL) as other:
        assert listener.getsockname()[0] == "127.0.0.1"
        assert listener.getsockname()[1] != other.getsockname()[1]


def test_both_kinds_of_addresses() -> None:
    with listen(Address("localhost", 0)) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
    with suppress(TransportError), listen(Address("::1", 0)) as listener:  # where there is no IPv6
        assert listener.getsockname()[0] == "::1"


def test_a_port_in_use() -> None:
    with listen(LOCAL) as listener:
        taken = Address("127.0.0.1", listener.getsockname()[1])
        with pytest.raises(TransportError, match=f"{taken}: another program has that port"):
            listen(taken)
    with listen(taken) as again:
        assert again.getsockname()[1] == taken.port


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("192.0.2.1", "not one of this machine's"),
        ("a" * 300, ""),
        ("\xe4" * 70, ""),
        ("1::2::3", ""),
    ],
    ids=["foreign", "long", "not ASCII", "no address"],
)
def test_where_one_cannot_listen(host: str, reason: str) -> None:
    with pytest.raises(TransportError) as error:
        listen(Address(host, 0))
    assert str(error.value).startswith("cannot listen at ")
    assert reason in str(error.value)
    assert "\n" not in str(error.value)
