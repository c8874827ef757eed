"""Which refusals are worth a line. Pure: the time is an argument."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from framewire.common.clock import NS

__all__ = ["Refusals"]

_LINE_NS = NS
_SAME_NS = 60 * NS
_MOST = 256  # that are remembered: strangers must not fill memory


@dataclass(slots=True)
class _Known:
    next_ns: int = 0
    held: int = 0


class Refusals:
    """At most one line a second, and one a minute of the same: who is refused tries again and again."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[Hashable, ...], _Known] = OrderedDict()
        self._next_ns = 0

    def __len__(self) -> int:
        return len(self._known)

    def count(self, now_ns: int, *what: Hashable) -> int:
        """How many of the same a line about this one stands for, or 0 to stay quiet."""
        known = self._known.setdefault(what, _Known())
        if len(self._known) > _MOST:
            self._known.popitem(last=False)
        known.held += 1
        if now_ns < max(self._next_ns, known.next_ns):
            return 0
        self._next_ns = now_ns + _LINE_NS
        known.next_ns = now_ns + _SAME_NS
        held, known.held = known.held, 0
        return held

    def forget(self, *what: Hashable) -> None:
        """All is well where something was refused that begins so: the next refusal is news."""
        for each in [each for each in self._known if each[: len(what)] == what]:
            del self._known[each]
