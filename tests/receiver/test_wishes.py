"""What a caller may wish for."""

import pytest

from framewire.common.errors import UsageError
from framewire.common.request import MOST_TOPICS
from framewire.receiver.wishes import check_asking, prefixes_of


def test_topics_and_all_below_them() -> None:
    assert prefixes_of(["lab", "yard/cam1"]) == {b"lab/", b"yard/cam1/"}
    assert prefixes_of("lab") == {b"lab/"}
    assert prefixes_of(()) == {b""}, "nothing stands for all"
    assert prefixes_of(None) == frozenset()


def test_as_many_topics_as_may_be_named() -> None:
    names = [f"cam{number}" for number in range(MOST_TOPICS)]
    assert len(prefixes_of(names)) == MOST_TOPICS
    with pytest.raises(UsageError, match=f"{MOST_TOPICS + 1} topics are too many"):
        prefixes_of([*names, "one-more"])


def test_what_can_be_asked_of_whom() -> None:
    check_asking({"req-rep"}, "newest", "auto", 0.5, 2)
    check_asking({"pub-sub"}, "all", None, 0.5, None)
    for quality, credits in ((80, None), (None, 2)):
        with pytest.raises(UsageError, match="use a req-rep endpoint"):
            check_asking({"pub-sub"}, "newest", quality, None, credits)
    with pytest.raises(UsageError, match="quality is for the newest frame"):
        check_asking({"req-rep"}, "all", 80, None, None)
