"""Asking for metrics as Prometheus does, and reading the answer with its own parsers."""

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from urllib.parse import urlsplit

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from framewire.common.exposition import render
from framewire.common.metrics import Family

DEADLINE_S = 20.0
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@dataclass(frozen=True)
class Scrape:
    """What a process tells of itself."""

    values: Mapping[tuple[str, frozenset[tuple[str, str]]], float]
    kinds: Mapping[str, str]

    def __call__(self, name: str, **labels: str) -> float:
        return self.values[name, frozenset(labels.items())]

    def has(self, name: str, **labels: str) -> bool:
        return (name, frozenset(labels.items())) in self.values


def read(text: str, *, openmetrics: bool = False) -> Scrape:
    """What stands in `text`; no sample comes twice."""
    families = list((parse_openmetrics if openmetrics else parse_text)(text))
    samples = [sample for family in families for sample in family.samples]
    values = {(each.name, frozenset(each.labels.items())): each.value for each in samples}
    assert len(values) == len(samples)
    return Scrape(values, {family.name: family.type for family in families})


def told(families: Iterable[Family]) -> Scrape:
    """What Prometheus understands of `families`: the same in both of its formats."""
    fixed = list(families)
    plain = read(render("test", fixed)[1].decode())
    other = read(render("test", fixed, OPENMETRICS)[1].decode(), openmetrics=True)
    ours = {key: value for key, value in plain.values.items() if key[0].startswith("framewire_")}
    assert ours.items() <= other.values.items()
    return plain


@dataclass(frozen=True)
class Answer:
    status: int
    headers: HTTPMessage
    body: bytes


def ask(url: str, *, method: str = "GET", path: str | None = None, accept: str = "") -> Answer:
    """What the server at `url` answers, there or at another `path`."""
    parts = urlsplit(url)
    client = HTTPConnection(parts.hostname or "", parts.port, timeout=DEADLINE_S)
    try:
        client.request(method, path or parts.path, headers={"Accept": accept} if accept else {})
        response = client.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        client.close()


def scrape(url: str) -> Scrape:
    """The figures at `url` now."""
    answer = ask(url)
    assert answer.status == 200
    return read(answer.body.decode())


def connect(url: str) -> socket.socket:
    """A connection that says nothing yet."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), DEADLINE_S)
