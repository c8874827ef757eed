"""What is JPEG already is never decoded and never encoded on its way."""

from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import pytest
import simplejpeg

from framewire.common.container import RecordingReader
from framewire.receiver import Receiver, Recorder
from framewire.sender import Sender, open_source
from processes import CLIPS

CODECS = (
    (simplejpeg, "encode_jpeg"),
    (simplejpeg, "decode_jpeg"),
    (cv2, "imencode"),
    (cv2, "imdecode"),
)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the codecs' functions that were called."""
    made: list[str] = []

    def watched(name: str, real: Any) -> Any:
        def called(*arguments: Any, **options: Any) -> Any:
            made.append(name)
            return real(*arguments, **options)

        return called

    for module, name in CODECS:
        monkeypatch.setattr(module, name, watched(name, getattr(module, name)))
    return made


def payloads(path: Path) -> list[bytes]:
    with closing(RecordingReader(path)) as recording:
        return [packet.payload for packet in recording.packets()]


def test_from_recording_to_recording_over_the_network(tmp_path: Path, calls: list[str]) -> None:
    copied = tmp_path / "copy.mkv"
    with (
        open_source(str(CLIPS / "yard.mkv"), speed=0) as source,
        Sender("push-pull+tcp://127.0.0.1:*") as sender,
        Receiver(sender.endpoints[0]) as receiver,
        Recorder(str(copied)) as recorder,
    ):
        count = 0
        for packet in source.packets():
            sender.forward(packet)
            recorder.write(receiver.read_packet(20))
            count += 1
        assert sender.stats.encoded == 0
    assert calls == []
    assert count > 40
    assert payloads(copied) == payloads(CLIPS / "yard.mkv")


def test_the_codecs_are_watched(calls: list[str]) -> None:
    with (
        open_source("pattern:320x240@100") as source,
        Sender("push-pull+tcp://127.0.0.1:*") as sender,
        Receiver(sender.endpoints[0]) as receiver,
    ):
        sender.send(next(iter(source)), topic="cam")
        receiver.read(20)
    assert calls == ["encode_jpeg", "decode_jpeg"]
