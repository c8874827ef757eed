"""The books of a receiver, without one; what they count is in test_account.py and test_receiver.py."""

import logging

import pytest

from framewire.common.clock import NS
from framewire.receiver.ledger import Ledger
from receiver.publishing import packet, status

NOW_NS = 100 * NS


def test_topics_up_to_the_limit() -> None:
    ledger = Ledger(2)
    for name in ("one", "two"):
        assert ledger.has_room_for(name)
        ledger.take(packet(0, name), NOW_NS, partial=False)
    assert ledger.has_room_for("one")
    assert not ledger.has_room_for("three")
    assert list(ledger.snapshot(NOW_NS).topics) == ["one", "two"]


def test_what_is_missing_before_a_packet_and_a_status() -> None:
    ledger = Ledger(1)
    assert ledger.take(packet(0), NOW_NS, partial=False) == 0
    assert ledger.take(packet(3), NOW_NS, partial=False) == 2
    assert ledger.take(packet(3), NOW_NS, partial=False) is None
    assert ledger.hear(status(6), NOW_NS, partial=False, marks=True) == 2
    assert ledger.snapshot(NOW_NS).lost == 4


def test_what_is_handed_over_and_passed_over() -> None:
    ledger = Ledger(1)
    for number in range(2):
        ledger.take(packet(number, "cam"), NOW_NS, partial=False)
    ledger.skip("cam")
    ledger.deliver("cam", 12.0)
    stats = ledger.snapshot(NOW_NS)
    assert (stats.topics["cam"].skipped, stats.topics["cam"].delivered) == (1, 1)
    assert stats.age_ms == (12.0, 12.0)


def test_what_was_not_subscribed_to_is_no_loss() -> None:
    ledger = Ledger(2)
    for name in ("lab", "yard"):
        ledger.take(packet(0, name), NOW_NS, partial=False)
    ledger.rejoin([b"lab/", b"yard/"], [b"yard/"])
    assert ledger.take(packet(9, "lab"), NOW_NS, partial=False) == 0
    assert ledger.take(packet(9, "yard"), NOW_NS, partial=False) == 8


def test_a_complaint_that_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(1)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            ledger.refuse("version 2", NOW_NS, once=True)
    assert caplog.messages == ["refused 1 message(s): version 2"]
    assert ledger.snapshot(NOW_NS).malformed == 3
