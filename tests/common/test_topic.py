"""Topics: the grammar at its edges, and that prefixes on the wire mean what people think."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framewire.common.errors import TopicError
from framewire.common.topic import (
    MAX_TOPIC_BYTES,
    check_topic,
    topic_from_name,
    wire_topic,
)

ALPHABET = string.ascii_letters + string.digits + "._-"
segments = st.text(ALPHABET, min_size=1, max_size=8).filter(lambda name: name not in (".", ".."))
topics = st.lists(segments, min_size=1, max_size=5).map("/".join)


@given(topics)
def test_the_grammar_is_taken_as_it_is(topic: str) -> None:
    assert check_topic(topic) == topic
    assert check_topic(topic + "/") == topic


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "/",
        "//",
        "/lab",
        "lab//",
        "lab//cam",
        "lab cam",
        "lab\n",
        "lab/\n",
        "\nlab",
        "käm",
        "a\0",
        ".",
        "..",
        "../lab",
        "lab/..",
        "lab/./cam",
    ],
)
def test_what_is_outside_the_grammar_is_refused(topic: str) -> None:
    with pytest.raises(TopicError, match="bad topic"):
        check_topic(topic)


@given(st.text())
def test_any_text_is_a_topic_or_an_error(text: str) -> None:
    parts = text.removesuffix("/").split("/")
    good = all(part and part not in (".", "..") and set(part) <= set(ALPHABET) for part in parts)
    try:
        assert check_topic(text) == "/".join(parts)
    except TopicError:
        assert not good
    else:
        assert good


@pytest.mark.parametrize("topic", ["...", "..a", "a..", ".a/b.", "lab/...", "-", "_"])
def test_dots_are_letters_like_others(topic: str) -> None:
    assert check_topic(topic) == topic


def test_length_counts_the_closing_slash() -> None:
    longest = "x" * (MAX_TOPIC_BYTES - 1)
    assert len(wire_topic(check_topic(longest))) == MAX_TOPIC_BYTES == 255
    assert check_topic(longest + "/") == longest
    with pytest.raises(TopicError, match="255 characters is too long: at most 254"):
        check_topic(longest + "x")


def test_wire_form() -> None:
    assert wire_topic("lab/cam1") == b"lab/cam1/"


@given(topics, topics)
def test_a_prefix_on_the_wire_is_a_topic_or_one_above_it(topic: str, other: str) -> None:
    above = other.split("/")
    expected = topic.split("/")[: len(above)] == above
    assert wire_topic(topic).startswith(wire_topic(other)) == expected


@given(st.text())
def test_every_name_makes_a_topic_of_one_segment(name: str) -> None:
    topic = topic_from_name(name)
    assert check_topic(topic) == topic
    assert "/" not in topic
    assert len(topic) <= 64


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("yard", "yard"),
        ("HD Pro Webcam (046d)", "HD-Pro-Webcam-046d"),
        ("../../etc", "etc"),
        ("日本", "stream"),
        ("", "stream"),
        ("x" * 65, "x" * 64),
    ],
)
def test_names_stay_readable(name: str, topic: str) -> None:
    assert topic_from_name(name) == topic
