"""`--metrics` of every command that has it, scraped as Prometheus does."""

import signal
from pathlib import Path

import pytest

from processes import Command, Start, until
from scraping import ask, scrape

SERVE = ("--metrics", "127.0.0.1:0", "--json")
BIND = ("--bind", "tcp://127.0.0.1:*")


def started(command: Command) -> tuple[str, str]:
    """Its first endpoint, and where its metrics are."""
    ready = command.event("ready")
    return ready["endpoints"][0], ready["metrics"]


def counts(url: str, name: str, topic: str = "yard") -> bool:
    seen = scrape(url)
    return seen.has(name, topic=topic) and seen(name, topic=topic) >= 5


def test_from_camera_to_disk(framewire: Start, tmp_path: Path) -> None:
    sender = framewire("send", "pattern:160x120@30", "--topic", "yard", *BIND, *SERVE)
    address, at_sender = started(sender)
    relay = framewire("relay", "--from", address, *BIND, *SERVE)
    relayed, at_relay = started(relay)
    viewer = framewire("view", relayed, "--headless", *SERVE)
    recorder = framewire("record", relayed, "--out", str(tmp_path / "a.mkv"), *SERVE)
    (_, at_viewer), (_, at_recorder) = started(viewer), started(recorder)
    until(lambda: counts(at_sender, "framewire_sent_frames_total"))
    until(lambda: counts(at_relay, "framewire_sent_frames_total"))
    until(lambda: counts(at_viewer, "framewire_frame_age_seconds_count"))
    until(lambda: scrape(at_recorder)("framewire_recorded_frames_total") >= 5)
    assert scrape(at_sender)("framewire_receivers") == 1
    assert scrape(at_relay)("framewire_receivers") == 2
    assert scrape(at_viewer)("framewire_topic_state", topic="yard", state="live") == 1
    assert scrape(at_sender)("process_resident_memory_bytes") > 0
    for command in (viewer, recorder, relay, sender):
        command.signal(signal.SIGTERM)
        assert command.wait() == 0
        assert "Traceback" not in "".join(command.errors)  # that it lost a frame it may say
    with pytest.raises(ConnectionRefusedError):
        ask(at_sender)


def test_a_topic_that_falls_silent_is_stale(framewire: Start) -> None:
    sender = framewire("send", "pattern:160x120@30", "--topic", "yard", *BIND, "--json")
    viewer = framewire("view", sender.endpoint(), "--headless", *SERVE)
    _, at_viewer = started(viewer)
    until(lambda: counts(at_viewer, "framewire_frames_total"))
    sender.signal(signal.SIGKILL)
    until(lambda: scrape(at_viewer)("framewire_topic_state", topic="yard", state="stale") == 1)
    assert scrape(at_viewer)("framewire_silence_seconds", topic="yard") > 2


def test_a_replay_has_them_too(framewire: Start) -> None:
    clip = Path(__file__).parents[2] / "samples" / "clips" / "yard.mkv"
    sender = framewire("replay", str(clip), "--topic", "yard", "--loop", *BIND, *SERVE)
    _, url = started(sender)
    until(lambda: scrape(url).has("framewire_captured_frames_total", topic="yard"))


def test_people_are_told_where_they_are(framewire: Start) -> None:
    sender = framewire("send", "pattern:160x120", "--count", "3", *BIND, "--metrics", "127.0.0.1:0")
    assert sender.wait() == 0
    assert sender.errors[0].startswith("framewire: metrics are at http://127.0.0.1:")


@pytest.mark.parametrize(
    ("address", "code", "words"),
    [
        ("0.0.0.0:9100", 2, "refusing to show metrics at 0.0.0.0:9100"),
        ("9100", 2, "use HOST:PORT"),
        ("192.0.2.1:0", 2, "--insecure"),
    ],
)
@pytest.mark.parametrize("words_of", ["send", "record", "view", "relay"])
def test_what_cannot_work_is_said_in_one_line(
    words_of: str, address: str, code: int, words: str, framewire: Start, tmp_path: Path
) -> None:
    arguments = {
        "send": ["pattern:160x120", *BIND],
        "record": [*BIND, "--out", str(tmp_path / "a.mkv")],
        "view": [*BIND, "--headless"],
        "relay": ["--from", "tcp://127.0.0.1:9", *BIND],
    }[words_of]
    command = framewire(words_of, *arguments, "--metrics", address)
    assert command.wait() == code
    assert len(command.errors) == 1
    assert words in command.errors[0]
    assert list(tmp_path.iterdir()) == []


def test_the_address_may_come_from_the_environment(
    framewire: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMEWIRE_SEND_METRICS", "127.0.0.1:0")
    _, url = started(framewire("send", "pattern:160x120", *BIND, "--json"))
    assert ask(url).status == 200
