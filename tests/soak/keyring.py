"""The keys of a soak: a pair for each part, and a folder at each that binds with those it lets in."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from framewire.common.keys import make_keys

__all__ = ["Keyring"]


class Keyring:
    """All keys lie in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()

    def arguments(
        self, name: str, *, to: tuple[str, ...] = (), lets_in: tuple[str, ...] = ()
    ) -> list[str]:
        """The options of a command: its own key, those of whom it connects `to`, whom it lets in."""
        options = ["--key", str(self.secret(name))]
        for other in to:
            options += ["--server-key", str(self.public(other))]
        if lets_in:
            options += ["--allow", str(self.allowed(name))]
            self.allowed(name).mkdir(exist_ok=True)
            for other in lets_in:
                shutil.copy(self.public(other), self.allowed(name))
        return options

    def secret(self, name: str) -> Path:
        self._make(name)
        return self._folder / f"{name}.key_secret"

    def public(self, name: str) -> Path:
        self._make(name)
        return self._folder / f"{name}.key"

    def allowed(self, name: str) -> Path:
        """The folder with the keys that it lets in."""
        return self._folder / f"allow-{name}"

    def let_in(self, name: str, other: str) -> bool:
        return (self.allowed(name) / f"{other}.key").exists()

    @contextmanager
    def revoked(self, name: str, other: str) -> Iterator[None]:
        """Take `other`'s key from those that `name` lets in, and put it back."""
        (self.allowed(name) / f"{other}.key").unlink()
        try:
            yield
        finally:
            shutil.copy(self.public(other), self.allowed(name))

    def _make(self, name: str) -> None:
        if not (self._folder / f"{name}.key").exists():
            make_keys(self._folder / name)
