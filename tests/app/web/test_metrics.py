"""`/metrics` of the web viewer."""

from app.web.conftest import Serve
from app.web.viewing import (
    EVERYTHING,
    NOTHING,
    TOKEN,
    TOPIC,
    WANTED,
    Camera,
    Viewer,
    ask,
    see,
    until,
    watch,
)
from framewire.app.metrics import WEB, WebFigures
from framewire.app.web.access import Access
from framewire.receiver import metrics as receiver_metrics
from framewire.receiver.account import STALE_S
from receiver.publishing import Station
from scraping import OPENMETRICS, Scrape, read


def scrape(viewer: Viewer) -> Scrape:
    answer = ask(viewer, "/metrics")
    assert answer.status == 200
    return read(answer.text)


def test_figures_of_what_is_looked_at(camera: Camera, viewer: Viewer) -> None:
    with watch(viewer) as client:
        until(lambda: camera.demand == WANTED)
        camera.show(1)
        assert see(client) == 1
        seen = scrape(viewer)
        assert seen("framewire_frames_total", topic=TOPIC) == 1
        assert seen("framewire_delivered_frames_total", topic=TOPIC) == 1
        assert seen("framewire_frame_age_seconds_count", topic=TOPIC) == 1
        assert seen("framewire_topic_state", topic=TOPIC, state="live") == 1
        assert seen("framewire_viewers") == 1
        assert seen("framewire_malformed_total") == 0
    until(lambda: scrape(viewer)("framewire_viewers") == 0)


def test_nothing_is_taken_for_it(camera: Camera, viewer: Viewer) -> None:
    for _ in range(3):
        assert scrape(viewer)("framewire_viewers") == 0
    assert camera.demands == []
    assert camera.demand == NOTHING


def test_the_states_are_those_of_the_page(camera: Camera, viewer: Viewer) -> None:
    """Who is not asked says nothing; that does not make it stale."""
    with watch(viewer) as client:
        until(lambda: camera.demand == WANTED)
        camera.show(1)
        assert see(client) == 1
    until(lambda: scrape(viewer)("framewire_silence_seconds", topic=TOPIC) > STALE_S)
    assert scrape(viewer)("framewire_topic_state", topic=TOPIC, state="live") == 1


def test_silence_of_who_is_asked_is_stale(serve: Serve) -> None:
    with Station() as station:
        viewer = serve(station.url, warm=True)
        station.wait_for_subscriptions()
        with station.streaming():
            until(lambda: scrape(viewer).has("framewire_frames_total", topic=TOPIC))
        until(lambda: scrape(viewer)("framewire_topic_state", topic=TOPIC, state="stale") == 1)


def test_the_token_is_needed(serve: Serve) -> None:
    viewer = serve(access=Access(TOKEN))
    assert ask(viewer, "/metrics").status == 401
    known = {"Authorization": f"Bearer {TOKEN}", "Accept": OPENMETRICS}
    answer = ask(viewer, "/metrics", headers=known)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert read(answer.text, openmetrics=True)("framewire_viewers") == 0


def test_nothing_is_told_that_is_not_listed(camera: Camera, serve: Serve) -> None:
    viewer = serve(warm=True)
    until(lambda: camera.demand == EVERYTHING)
    metrics = viewer.ask(lambda hub: {each.metric for each in WebFigures(hub)()})
    assert metrics == {*receiver_metrics.METRICS, *WEB}
