"""A sender's figures as Prometheus reads them."""

from framewire.common.stats import Histogram
from framewire.sender import SenderStats, TopicSent
from framewire.sender.ledger import ENCODE_BOUNDS_S
from framewire.sender.metrics import METRICS, sent
from scraping import told


def test_each_figure_stands_where_it_belongs() -> None:
    encodings = Histogram(ENCODE_BOUNDS_S)
    encodings.add(0.002)
    encodings.add(0.004)
    topics = {
        "lab/cam1": TopicSent(1, 2, 3, 4, 5),
        "yard": TopicSent(10, 20, 30, 40, 50, "no-signal"),
    }
    seen = told(sent(SenderStats(topics, 6, 7, (3.0, 4.0), encodings.snapshot())))
    names = ("captured_frames", "sent_frames", "sent_bytes", "dropped_frames", "unwatched_frames")
    for topic, times in (("lab/cam1", 1), ("yard", 10)):
        found = [seen(f"framewire_{name}_total", topic=topic) for name in names]
        assert found == [times * each for each in range(1, 6)]
    assert seen("framewire_source_state", topic="lab/cam1", state="live") == 1
    assert seen("framewire_source_state", topic="lab/cam1", state="no-signal") == 0
    assert seen("framewire_source_state", topic="yard", state="live") == 0
    assert seen("framewire_source_state", topic="yard", state="no-signal") == 1
    assert seen("framewire_receivers") == 6
    assert seen("framewire_encode_seconds_bucket", le="0.002") == 1
    assert seen("framewire_encode_seconds_count") == 2


def test_nothing_is_told_that_is_not_listed() -> None:
    families = list(sent(SenderStats({}, 0, 0, (0.0, 0.0))))
    assert tuple(each.metric for each in families) == METRICS
