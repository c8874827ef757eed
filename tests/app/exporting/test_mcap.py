"""MCAP files, read back with MCAP's own reader and Protocol Buffers' own decoder."""

import base64
import builtins
import json
from pathlib import Path
from typing import Any

import pytest

from app.exporting.making import packets, record
from framewire.app.exporting.compressed_image import compressed_image
from framewire.app.main import run

mcap_reader = pytest.importorskip("mcap.reader")


def export(tmp_path: Path, *files: Path) -> Path:
    out = tmp_path / "out.mcap"
    assert run(["export", *map(str, files), "--to", "mcap", "--out", str(out)]) == 0
    return out


def test_pictures_and_headers_come_back(tmp_path: Path) -> None:
    from mcap_protobuf.decoder import DecoderFactory

    given = packets()
    out = export(tmp_path, record(tmp_path / "yard.mkv", given))
    with out.open("rb") as file:
        reader = mcap_reader.make_reader(file, decoder_factories=[DecoderFactory()])
        found = list(reader.iter_decoded_messages(topics=["lab/cam1"]))
    assert len(found) == len(given)
    for each, (schema, channel, message, image) in zip(given, found, strict=True):
        header = each.header
        assert (schema.name, schema.encoding) == ("foxglove.CompressedImage", "protobuf")
        assert (channel.topic, channel.message_encoding) == ("lab/cam1", "protobuf")
        assert message.log_time == message.publish_time == header.captured_ns
        assert message.sequence == header.sequence
        assert (image.data, image.format, image.frame_id) == (each.payload, "jpeg", "lab/cam1")
        assert image.timestamp.ToNanoseconds() == header.captured_ns


def test_headers_are_json_with_the_users_metadata(tmp_path: Path) -> None:
    given = packets()
    out = export(tmp_path, record(tmp_path / "yard.mkv", given))
    with out.open("rb") as file:
        found = list(mcap_reader.make_reader(file).iter_messages(topics=["lab/cam1/header"]))
    assert len(found) == len(given)
    for each, (schema, channel, message) in zip(given, found, strict=True):
        assert (schema.encoding, channel.message_encoding) == ("jsonschema", "json")
        facts, properties = json.loads(message.data), json.loads(schema.data)["properties"]
        assert message.log_time == facts["captured_ns"] == each.header.captured_ns
        assert facts["metadata"]["n"] == each.metadata["n"]
        assert base64.b64decode(facts["metadata"]["raw"]) == each.metadata["raw"]
        assert set(properties) <= set(facts)


def test_topics_have_channels_of_their_own(tmp_path: Path) -> None:
    out = export(
        tmp_path,
        record(tmp_path / "a.mkv", packets()),
        record(tmp_path / "b.mkv", packets(topic="lab/cam2")),
    )
    with out.open("rb") as file:
        summary = mcap_reader.make_reader(file).get_summary()
    assert summary
    assert sorted(channel.topic for channel in summary.channels.values()) == [
        "lab/cam1", "lab/cam1/header", "lab/cam2", "lab/cam2/header",
    ]  # fmt: skip
    assert set(summary.statistics.channel_message_counts.values()) == {10}


def test_without_the_package_the_command_to_install_it_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **more: Any) -> Any:
        if name.split(".")[0] == "mcap":
            raise ImportError(name)
        return real(name, *arguments, **more)

    yard = record(tmp_path / "yard.mkv", packets())
    monkeypatch.setattr(builtins, "__import__", without)
    assert run(["export", str(yard), "--to", "mcap", "--out", str(tmp_path / "x.mcap")]) == 1
    assert "pip install 'framewire[mcap]'" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["yard.mkv"]


def test_golden_bytes_of_a_message() -> None:
    assert compressed_image(1_000_000_002, "a/b", b"\xff\xd8") == bytes.fromhex(
        "0a0408011002" "2203612f62" "1a046a706567" "1202ffd8"
    )  # fmt: skip
