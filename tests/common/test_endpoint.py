"""Endpoints: what is taken, what each refusal advises, and which binds strangers could reach."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common.endpoint import Endpoint, check_exposure, parse_endpoint, parse_endpoints
from framewire.common.errors import EndpointError


@pytest.mark.parametrize(
    ("text", "transport", "address", "host"),
    [
        ("tcp://127.0.0.1:5555", "tcp", "127.0.0.1:5555", "127.0.0.1"),
        ("pub-sub+tcp://lab-pi:1", "tcp", "lab-pi:1", "lab-pi"),
        ("tcp://[::1]:65535", "tcp", "[::1]:65535", "::1"),
        ("tcp://[fe80::1%eth0]:5555", "tcp", "[fe80::1%eth0]:5555", "fe80::1%eth0"),
        ("ipc:///run/cam.sock", "ipc", "/run/cam.sock", ""),
        ("ipc://a:b", "ipc", "a:b", ""),
        ("inproc://cam", "inproc", "cam", ""),
    ],
)
@pytest.mark.parametrize("bind", [True, False])
def test_parts_of_an_endpoint(
    text: str, transport: str, address: str, host: str, bind: bool
) -> None:
    endpoint = parse_endpoint(text, bind=bind)
    assert endpoint == Endpoint("pub-sub", transport, address)
    assert endpoint.host == host
    assert endpoint.ipv6 == (":" in host)
    assert endpoint.url == str(endpoint) == text.removeprefix("pub-sub+")


def test_an_endpoint_is_a_value() -> None:
    one, other = parse_endpoint("inproc://a", bind=True), parse_endpoint("inproc://a", bind=True)
    assert len({one, other}) == 1
    with pytest.raises(AttributeError):
        one.address = "b"  # type: ignore[misc]


@pytest.mark.parametrize("pattern", ["req-rep", "push-pull"])
@pytest.mark.parametrize("bind", [True, False])
def test_a_pattern_other_than_the_default_is_shown(pattern: str, bind: bool) -> None:
    endpoint = parse_endpoint(f"{pattern}+tcp://lab-pi:5555", bind=bind)
    assert endpoint == Endpoint(pattern, "tcp", "lab-pi:5555")
    assert str(endpoint) == f"{pattern}+tcp://lab-pi:5555"
    assert endpoint.url == "tcp://lab-pi:5555"  # ZeroMQ knows nothing of patterns
    assert parse_endpoint(str(endpoint), bind=bind) == endpoint


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("localhost:5555", "did you mean tcp://localhost:5555"),
        ("[::1]:5555", r"did you mean tcp://\[::1\]:5555"),
        ("5555", "use tcp://HOST:PORT"),
        ("", "use tcp://HOST:PORT"),
        ("TCP://a:1", "use tcp://HOST:PORT"),
        ("tcp://", "use tcp://HOST:PORT"),
        ("tcp://a:1\n", "use tcp://HOST:PORT"),
        ("tcp://a\0b:1", "use tcp://HOST:PORT"),
        ("ipc:///tmp/a\0b", "use tcp://HOST:PORT"),
        (
            "smoke-signal+tcp://a:1",
            "unknown pattern 'smoke-signal', use pub-sub, req-rep, push-pull",
        ),
        ("udp://a:1", "unknown transport 'udp'"),
        ("tcp://a", "use tcp://HOST:PORT"),
        ("tcp://::1:5555", "an IPv6 address goes in brackets"),
        ("tcp://a b:1", "use tcp://HOST:PORT"),
        ("tcp://a:x", "use tcp://HOST:PORT"),
        ("tcp://a:123456", "use tcp://HOST:PORT"),
        ("tcp://a:0", "1 to 65535"),
        ("tcp://a:65536", "1 to 65535"),
        ("ipc://" + "x" * 108, "at most 107 bytes"),
        ("ipc://" + "ä" * 54, "at most 107 bytes"),
    ],
)
@pytest.mark.parametrize("bind", [True, False])
def test_refusals_say_what_would_work(text: str, advice: str, bind: bool) -> None:
    with pytest.raises(EndpointError, match=advice):
        parse_endpoint(text, bind=bind)


def test_the_longest_ipc_path() -> None:
    assert parse_endpoint("ipc://" + "x" * 107, bind=True).address == "x" * 107


@pytest.mark.parametrize("text", ["tcp://*:5555", "tcp://0.0.0.0:5555", "tcp://[::]:5555"])
def test_every_interface_can_be_bound_but_not_connected_to(text: str) -> None:
    assert parse_endpoint(text, bind=True).url == text
    with pytest.raises(EndpointError, match="names no machine to connect to"):
        parse_endpoint(text, bind=False)


def test_the_system_chooses_a_port_only_to_bind() -> None:
    assert parse_endpoint("tcp://127.0.0.1:*", bind=True).address == "127.0.0.1:*"
    with pytest.raises(EndpointError, match="must be a number"):
        parse_endpoint("tcp://127.0.0.1:*", bind=False)


shaped = st.builds(
    "{}{}://{}{}".format,
    st.sampled_from(["", "pub-sub+", "req-rep+", "push-pull+", "x+"]),
    st.sampled_from(["tcp", "ipc", "inproc", "udp"]),
    st.text(max_size=20),
    st.sampled_from(["", ":1", ":*", ":99999"]),
)


@given(st.text() | shaped, st.booleans())
def test_any_text_is_an_endpoint_or_an_error(text: str, bind: bool) -> None:
    try:
        endpoint = parse_endpoint(text, bind=bind)
    except EndpointError:
        return
    assert parse_endpoint(str(endpoint), bind=bind) == endpoint


def test_an_ipc_path_that_is_not_utf8() -> None:
    assert parse_endpoint("ipc:///tmp/\udcff", bind=True).transport == "ipc"


def test_a_port_in_other_digits() -> None:
    with pytest.raises(EndpointError):
        parse_endpoint("tcp://lab:\uff15", bind=False)


def test_one_string_is_one_endpoint() -> None:
    one = parse_endpoint("inproc://a", bind=True)
    two = parse_endpoint("inproc://b", bind=True)
    assert parse_endpoints("inproc://a", bind=True) == (one,)
    assert parse_endpoints(["inproc://a", "inproc://b"], bind=True) == (one, two)
    assert parse_endpoints([], bind=True) == ()


LOCAL = [
    "tcp://127.0.0.1:1",
    "tcp://127.9.9.9:1",
    "tcp://[::1]:1",
    "tcp://localhost:1",
    "ipc://x",
    "inproc://x",
]
REACHABLE = ["tcp://*:1", "tcp://0.0.0.0:1", "tcp://192.168.1.2:1", "tcp://eth0:1", "tcp://[::]:1"]


@pytest.mark.parametrize("text", LOCAL)
def test_local_binds_need_no_consent(text: str) -> None:
    check_exposure([parse_endpoint(text, bind=True)], insecure=False)


@pytest.mark.parametrize("text", REACHABLE)
@pytest.mark.parametrize("pattern", ["", "req-rep+", "push-pull+"])
def test_reachable_binds_do(text: str, pattern: str) -> None:
    endpoints = parse_endpoints(["inproc://x", pattern + text], bind=True)
    with pytest.raises(EndpointError, match=r"refusing to bind .* --insecure"):
        check_exposure(endpoints, insecure=False)
    check_exposure(endpoints, insecure=True)
