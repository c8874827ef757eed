"""How figures are written, and the server that tells them: also to the slow, the silent and the many."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest
from prometheus_client import REGISTRY, Counter

from framewire.common import __version__, answering
from framewire.common.clock import NS
from framewire.common.errors import EndpointError, TransportError
from framewire.common.exposition import MetricsServer, render
from framewire.common.listening import Address
from framewire.common.metrics import Collect, Family, Metric
from framewire.common.stats import Histogram
from processes import until
from scraping import DEADLINE_S, OPENMETRICS, ask, connect, read, scrape, told

LOCAL = Address("127.0.0.1", 0)
FRAMES = Metric("framewire_frames_total", "counter", "Frames", ("topic",))
SENT = Metric("framewire_sent_bytes_total", "counter", "Payload", ("topic",))
FREE = Metric("framewire_disk_free_bytes", "gauge", "Free")
AGE = Metric("framewire_frame_age_seconds", "histogram", "Age", ("topic",))
PART = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: a"


def figures() -> list[Family]:
    ages = Histogram([0.01, 1])
    for age_s in (0.005, 0.01, 0.5, 7):
        ages.add(age_s)
    return [
        Family(FRAMES, [(("lab/cam1",), 3), (("yard",), 4)]),
        Family(SENT, [(("yard",), 2.0**40)]),
        Family(FREE, [((), 1.5)]),
        Family(AGE, [(("yard",), ages.snapshot())]),
    ]


def threads() -> list[str]:
    return [each.name for each in threading.enumerate() if "framewire-metrics" in each.name]


Serve = Callable[..., MetricsServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server, which is closed with the test; nothing is left of it."""
    with ExitStack() as stack:

        def start(collect: Collect = figures) -> MetricsServer:
            return stack.enter_context(MetricsServer(LOCAL, "test", collect))

        yield start
    until(lambda: threads() == [])


# -- the text -------------------------------------------------------------------------------------


def test_all_figures_are_told() -> None:
    seen = told(figures())
    assert seen("framewire_build_info", version=__version__, command="test") == 1
    assert seen("framewire_frames_total", topic="lab/cam1") == 3
    assert seen("framewire_frames_total", topic="yard") == 4
    assert seen("framewire_sent_bytes_total", topic="yard") == 2**40
    assert seen("framewire_disk_free_bytes") == 1.5
    assert seen.kinds["framewire_frame_age_seconds"] == "histogram"
    bounds = {"0.01": 2, "1.0": 3, "+Inf": 4}
    for bound, count in bounds.items():
        assert seen("framewire_frame_age_seconds_bucket", topic="yard", le=bound) == count
    assert seen("framewire_frame_age_seconds_count", topic="yard") == 4
    assert seen("framewire_frame_age_seconds_sum", topic="yard") == pytest.approx(7.515)


def test_a_metric_without_samples_is_named_all_the_same() -> None:
    assert told([Family(FRAMES, [])]).kinds["framewire_frames"] == "counter"


def test_the_format_is_what_is_asked_for() -> None:
    assert render("test", figures())[0].startswith("text/plain; version=0.0.4")
    kind, text = render("test", figures(), OPENMETRICS)
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    assert text.endswith(b"# EOF\n")
    assert b"# UNIT framewire_frame_age_seconds seconds\n" in text
    assert b"# UNIT framewire_sent_bytes bytes\n" in text
    assert render("test", figures(), "image/png, \xff;;=")[0].startswith("text/plain")


def test_what_a_program_counts_for_itself_is_its_own() -> None:
    counter = Counter("framewire_test_of_a_program", "Its own")  # in the global registry
    try:
        assert b"of_a_program" not in render("test", figures())[1]
    finally:
        REGISTRY.unregister(counter)


# -- the server -----------------------------------------------------------------------------------


def test_it_tells_the_figures(serve: Serve) -> None:
    server = serve()
    assert scrape(server.url)("framewire_frames_total", topic="yard") == 4
    answer = ask(server.url, accept=OPENMETRICS)
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert read(answer.body.decode(), openmetrics=True)("framewire_disk_free_bytes") == 1.5
    assert ask(server.url, path="/metrics?name[]=up").status == 200


def test_figures_are_those_of_the_moment(serve: Serve) -> None:
    values = iter([1, 5])
    url = serve(lambda: [Family(FREE, [((), next(values))])]).url
    assert [scrape(url)("framewire_disk_free_bytes") for _ in range(2)] == [1, 5]


def test_who_asks_for_the_head_gets_no_body(serve: Serve) -> None:
    url = serve(lambda: [Family(FREE, [((), 1)])]).url
    head = ask(url, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["Content-Length"]) > 0


@pytest.mark.parametrize("path", ["/", "/metric", "/metrics/", "/metrics/x", "/../a"])
def test_there_is_nothing_else(path: str, serve: Serve) -> None:
    answer = ask(serve().url, path=path)
    assert (answer.status, answer.body) == (404, b"look at /metrics\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get"])
def test_nothing_can_be_done(method: str, serve: Serve) -> None:
    assert ask(serve().url, method=method).status == 501


@pytest.mark.parametrize(
    "request_", [b"\r\n\r\n", b"nonsense\r\n\r\n", b"GET\0\xff\xff /\r\n\r\n", b"GET / HTTP/9\r\n",
     b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\0", b""]
)  # fmt: skip
def test_nonsense_harms_nobody(
    request_: bytes, serve: Serve, capfd: pytest.CaptureFixture[str]
) -> None:
    url = serve().url
    with connect(url) as client, suppress(OSError):  # it may hang up before it has read all of it
        client.sendall(request_)
        client.shutdown(socket.SHUT_WR)
        while client.recv(65536):
            pass
    assert ask(url).status == 200
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "host", ["elsewhere.example", "127.0.0.1.elsewhere.example", "localhost:x", ""]
)
def test_no_other_name_can_be_made_to_point_here(host: str, serve: Serve) -> None:
    """What a page of another site could do by its own DNS: read figures through its visitor's browser."""
    with connect(serve().url) as client:
        client.sendall(f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert client.recv(4096).startswith(b"HTTP/1.0 421")


def test_silent_connections_do_not_keep_others_waiting(serve: Serve) -> None:
    url = serve().url
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(connect(url))
        assert scrape(url)("framewire_disk_free_bytes") == 1.5
        assert len(threads()) <= 9
        assert scrape(url)("framewire_disk_free_bytes") == 1.5


def test_slow_connections_do_not_keep_others_waiting(serve: Serve) -> None:
    url = serve().url
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(connect(url)).sendall(PART)
        assert [ask(url).status for _ in range(20)] == [200] * 20


def test_who_reads_nothing_does_not_keep_others_waiting(serve: Serve) -> None:
    many = Family(FRAMES, [((f"lab/cam{number}",), number) for number in range(50_000)])
    url = serve(lambda: [many]).url
    with ExitStack() as stack:
        for _ in range(2):
            client = stack.enter_context(connect(url))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(PART + b"\r\n\r\n")
        assert ask(url, method="HEAD").status == 200


def test_nobody_may_take_for_ever(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "_PATIENCE_NS", NS // 10)
    url = serve().url
    with connect(url) as client:
        client.sendall(PART)
        assert client.recv(1) == b""
    until(lambda: "framewire-metrics-answer" not in threads())
    assert ask(url).status == 200


def test_where_figures_do_not_come_nobody_waits_with_them(serve: Serve) -> None:
    going_on = threading.Event()

    def stuck() -> list[Family]:
        going_on.wait(DEADLINE_S)
        return []

    url = serve(stuck).url
    with ExitStack() as stack:
        stack.callback(going_on.set)
        for _ in range(8):
            stack.enter_context(connect(url)).sendall(PART + b"\r\n\r\n")
        until(lambda: len(threads()) == 9)
        with connect(url) as ninth, suppress(ConnectionResetError):
            assert ninth.recv(1) == b""
        assert len(threads()) == 9
    until(lambda: len(threads()) == 1)
    assert ask(url).status == 200


def test_a_mistake_in_the_figures_is_reported_and_ends_nothing(serve: Serve) -> None:
    seen: list[object] = []
    failing = iter([True, False])

    def collect() -> list[Family]:
        if next(failing):
            raise ZeroDivisionError
        return []

    url = serve(collect).url
    before, threading.excepthook = threading.excepthook, lambda args: seen.append(args.exc_type)
    try:
        with connect(url) as client:
            client.sendall(PART + b"\r\n\r\n")
            assert client.recv(1) == b""
        until(lambda: len(threads()) == 1)
    finally:
        threading.excepthook = before
    assert seen == [ZeroDivisionError]
    assert ask(url).status == 200


def test_closing_hangs_up_and_frees_the_port(serve: Serve) -> None:
    server = serve()
    with connect(server.url) as client:
        client.sendall(PART)
        until(lambda: len(threads()) == 2)
        server.close()
        assert threads() == []
        assert client.recv(1) == b""
    server.close()
    with pytest.raises(ConnectionRefusedError):
        ask(server.url)


@pytest.mark.parametrize("version", ["1.", "1.0.", "one", "-1", "9" * 5000, ""])
def test_a_version_that_is_none_is_no_error(version: str) -> None:
    kind, text = render("test", [], f"application/openmetrics-text; version={version}")
    assert kind
    assert b"framewire_build_info" in text


# -- where ----------------------------------------------------------------------------------------


def test_addresses_of_other_machines_are_refused() -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "lab-pi"):
        with pytest.raises(EndpointError, match=r"use 127\.0\.0\.1:9100, or allow .* --insecure"):
            MetricsServer(Address(host, 9100), "test", figures)
    with MetricsServer(Address("0.0.0.0", 0), "test", figures, insecure=True) as server:
        assert server.url.startswith(f"http://{socket.gethostname()}:")
        port = server.url.rpartition(":")[2]
        assert ask(f"http://127.0.0.1:{port}", path="/metrics").status == 200
    until(lambda: threads() == [])


def test_a_port_in_use(serve: Serve) -> None:
    port = int(serve().url.split(":")[2].partition("/")[0])
    with pytest.raises(TransportError, match="another program has that port"):
        MetricsServer(Address("127.0.0.1", port), "test", figures)
    assert len(threads()) == 1


def test_ipv6() -> None:
    with suppress(TransportError):  # where there is none
        server = MetricsServer(Address("::1", 0), "test", figures)
        with server:
            assert server.url.startswith("http://[::1]:")
            assert ask(server.url).status == 200
