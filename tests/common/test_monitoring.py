"""`--metrics`: what it starts, what it says, and what it costs who does not ask for it."""

import subprocess
import sys

import pytest

from framewire.common.errors import EndpointError, TransportError
from framewire.common.metrics import Family, Metric
from framewire.common.monitoring import monitored
from scraping import ask, scrape

FREE = Metric("framewire_disk_free_bytes", "gauge", "Free")


def figures() -> list[Family]:
    return [Family(FREE, [((), 7)])]


def test_figures_are_there_while_the_block_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with monitored("127.0.0.1:0", "send", figures, insecure=False, json=False) as told:
        seen = scrape(told["metrics"])
        assert seen("framewire_disk_free_bytes") == 7
    with pytest.raises(ConnectionRefusedError):
        ask(told["metrics"])
    printed = capsys.readouterr()
    assert printed.err == f"framewire: metrics are at {told['metrics']}\n"
    assert printed.out == ""


def test_machines_are_told_by_the_event_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with monitored("127.0.0.1:0", "send", figures, insecure=False, json=True) as told:
        assert told["metrics"].endswith("/metrics")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("at", "insecure", "error"),
    [
        ("9100", False, EndpointError),
        ("0.0.0.0:0", False, EndpointError),
        ("192.0.2.1:0", True, TransportError),
    ],
)
def test_addresses_that_cannot_be(at: str, insecure: bool, error: type[Exception]) -> None:
    with pytest.raises(error), monitored(at, "send", figures, insecure=insecure, json=False):
        pass


def test_who_does_not_ask_pays_nothing() -> None:
    program = (
        "import sys\n"
        "from framewire.common.monitoring import monitored\n"
        "with monitored(None, 'send', list, insecure=False, json=False) as told: assert not told\n"
        "import framewire.sender.cli, framewire.receiver.cli\n"
        "import framewire.sender.metrics, framewire.receiver.metrics, framewire.app.relay\n"
        "assert 'prometheus_client' not in sys.modules\n"
        "assert 'http.server' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
