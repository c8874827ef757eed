"""Every command that sends or receives, with keys: all at the same time, at one sender's."""

import json
import shutil
from pathlib import Path
from urllib.request import urlopen

import pytest

from framewire.common.keys import make_keys
from processes import Start, until


@pytest.mark.timeout(120)
def test_every_command_takes_keys(
    framewire: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "allow").mkdir()
    for name in ("pi", "desk", "hub"):
        make_keys(name)
    for name in ("desk", "hub"):
        shutil.copy(f"{name}.key", "allow")
    at_pi = ("--key", "pi.key_secret", "--allow", "allow")
    to_pi = ("--key", "desk.key_secret", "--server-key", "pi.key")
    bind = ("--bind", "tcp://127.0.0.1:*", "--json")

    url = framewire("send", "pattern:160x120@30", *bind, *at_pi).endpoint()
    receiving = [
        framewire("view", url, "--headless", "--count", "5", "--json", *to_pi),
        framewire("record", url, "--out", "yard.mkv", "--count", "30", "--json", *to_pi),
        framewire("stats", url, "--once", "--json", *to_pi),
    ]
    with monkeypatch.context() as patch:  # as any option, from the environment
        patch.setenv("FRAMEWIRE_SNAPSHOT_KEY", "desk.key_secret")
        patch.setenv("FRAMEWIRE_SNAPSHOT_SERVER_KEY", "pi.key")
        receiving.append(framewire("snapshot", url, "--out", "yard.jpg", "--json"))
    web = framewire("web", url, "--listen", "127.0.0.1:0", "--json", *to_pi)
    hub = ("--key", "hub.key_secret", "--server-key", "pi.key", "--allow", "allow")
    relay = framewire("relay", "--from", url, *bind, *hub)
    behind = ("--key", "desk.key_secret", "--server-key", "hub.key")
    receiving.append(
        framewire("view", relay.endpoint(), "--headless", "--count", "5", "--json", *behind)
    )
    assert [command.wait() for command in receiving] == [0] * len(receiving)
    assert (tmp_path / "yard.jpg").stat().st_size > 1000

    address = web.url()
    until(lambda: _has_a_picture(address))
    replay = framewire("replay", "yard.mkv", "--wait", "1", *bind, *at_pi)
    again = framewire("view", replay.endpoint(), "--headless", "--count", "5", "--json", *to_pi)
    assert again.wait() == 0


def _has_a_picture(address: str) -> bool:
    with urlopen(f"{address}api/streams") as answer:
        return bool(json.load(answer)["streams"])
