"""Who may: alone, and at the door of a real server."""

import http.cookiejar
import http.cookies
import socket
import urllib.request
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.conftest import Serve
from app.web.viewing import (
    DEADLINE_S,
    HANDSHAKE,
    TOKEN,
    TOPIC,
    WANTED,
    Answer,
    Camera,
    Headers,
    MotionJpeg,
    Viewer,
    ask,
    ask_raw,
    number_of,
    refused,
    see,
    until,
    watch,
)
from framewire.app.web.access import Access
from framewire.common.errors import UsageError

FRIEND = "https://friend.example"
COOKIE = Access(TOKEN).cookie
HERE = frozenset(("127.0.0.1", "::1", "localhost"))
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PATHS = [
    "/",
    "/nope",
    "/page/page.js",
    "/api/streams",
    "/healthz",
    f"/snapshot/{TOPIC}",
    f"/stream/{TOPIC}",
]
GARBAGE = [
    "",
    "wrong",
    TOKEN[:-1],
    f"{TOKEN}x",
    TOKEN.upper(),
    "%00",
    "%0d%0aX-Evil:%20yes",
    "%ff%fe",
    "%C3%A4",
    "%ED%A0%80",
    "ä".encode().decode("latin-1"),
    "%" * 50,
    "x" * 5000,
]

MALFORMED = [
    b"Authorization:",
    b"Authorization: Bearer",
    b"Authorization: Bearer \xff\xfe",
    b"Authorization: \xff",
    b"Authorization: Basic dXNlcjpwYXNz",
    b"Authorization: " + TOKEN.encode(),
    b"Cookie:",
    b"Cookie: ;;;=;=",
    b"Cookie: " + COOKIE.encode(),
    b"Cookie: " + COOKIE.encode() + b'="unterminated',
    b"Cookie: " + COOKIE.encode() + b'="\\777\\400"',
    b"Cookie: " + COOKIE.encode() + b"=\xff\xfe",
    b"Cookie: \xff=\xfe; a[b]{c}=d",
    b"Cookie: " + b"a=b; " * 1000,
]
OTHER_COOKIES = [
    "a=b c",
    'settings={"theme":"dark","size":1}',
    "a[b]=c",
    "=",
    "loose",
    "sid=\xff",
    'quoted="half',
    "Path=/; Expires=yesterday",
    "a=1; a=2",
]


@pytest.fixture
def closed(serve: Serve) -> Viewer:
    """For those who have the token."""
    return serve(access=Access(TOKEN))


@pytest.fixture
def local(serve: Serve) -> Viewer:
    """As it is on loopback: without a token, for its own names only."""
    return serve(access=Access(hosts=HERE))


@pytest.fixture
def friendly(serve: Serve) -> Viewer:
    """For the pages of a friend, too."""
    return serve(access=Access(TOKEN, origins=(FRIEND,)))


def safe(headers: http.client.HTTPMessage) -> bool:
    return (
        headers["X-Content-Type-Options"] == "nosniff"
        and "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    )


def bytes_refused(viewer: Viewer, header: bytes) -> bytes:
    """What a request with that header line, of any bytes, gets; 401 it must be."""
    request = b"GET /api/streams HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + header
    answer = ask_raw(viewer, request + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401 "), answer
    return answer


# -- alone ----------------------------------------------------------------------------------------


def test_hosts() -> None:
    access = Access(hosts=HERE)
    for host in (
        "localhost",
        "localhost:8080",
        "LocalHost:8080",
        "127.0.0.1",
        "127.0.0.1:8080",
        "[::1]",
        "[::1]:8080",
    ):
        assert access.knows(host), host
    for host in (
        "",
        "evil.example",
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil.example/127.0.0.1",
        "evil.example?127.0.0.1",
        "127.0.0.10",
        "[",
        "]",
        "[::1",
        "::1]",
        "[evil]",
        "[::1]evil.example",
        "127.0.0.1:x:y",
        "\u2100",
    ):
        assert not access.knows(host), host
    assert Access().knows("any.example")
    assert Access().knows("")


def test_origins() -> None:
    access = Access(origins=(FRIEND, "http://other.example:8000"))
    assert access.trusts(None, "cams:8080")
    for origin in ("http://cams:8080", "https://cams:8080", FRIEND, "http://other.example:8000"):
        assert access.trusts(origin, "cams:8080"), origin
    for origin in (
        "",
        "null",
        "http://cams",
        "http://cams:8081",
        "http://cams:8080.evil.example",
        "http://evil.example",
        "http://friend.example",
        "https://friend.example:444",
        "https://friend.example.evil.example",
        "https://evil.friend.example",
        "http://other.example",
        "http://[",
        "http://[evil]",
        "cams:8080",
        "\u2100",
    ):
        assert not access.trusts(origin, "cams:8080"), origin
    for origin in ("", "null", "file://", "nonsense"):
        assert not access.trusts(origin, ""), origin


def test_tokens() -> None:
    access = Access(TOKEN)
    assert access.admits([TOKEN])
    assert access.admits(["wrong", TOKEN])
    assert not access.admits([])
    for token in ("", "wrong", TOKEN + "\0", TOKEN[:-1], "ä", "\u2100", "\x00"):
        assert not access.admits([token]), token
    assert Access().admits([])
    assert Access().admits(["anything"])


def test_what_can_be_no_token() -> None:
    for token in ("", " ", "a b", "a;b", "a&b", "a#b", "a+b", "ä", "a\nb", "a\n", 'a"b', "%41"):
        with pytest.raises(UsageError, match="a token is made of"):
            Access(token)
    assert Access("Az09._~-").admits(["Az09._~-"])


def test_a_proxy_gives_its_own_name() -> None:
    access = Access(hosts=HERE, origins=(FRIEND, "https://[2001:db8::1]:8443"))
    for host in ("friend.example", "Friend.example:443", "[2001:db8::1]", "localhost"):
        assert access.knows(host), host
    for host in ("other.friend.example", "friend.example.evil.example", "[2001:db8::2]", ""):
        assert not access.knows(host), host


def test_each_token_has_a_cookie_of_its_own() -> None:
    """Ports of one host share cookies: two viewers there must not take each other's."""
    assert Access(TOKEN).cookie == Access(TOKEN, HERE).cookie != Access(f"{TOKEN}2").cookie
    assert TOKEN not in Access(TOKEN).cookie


def test_what_can_be_no_origin() -> None:
    for origin in (
        "",
        "*",
        "null",
        "friend.example",
        "https://",
        "https://friend.example/",
        "https://friend.example/page",
        "https://me@friend.example",
        "https://Friend.example",
        "ftp://friend.example",
        "https://friend.example\n",
        "https://friend.example:x",
        "https://[",
    ):
        with pytest.raises(UsageError, match=r"as in https://example\.org"):
            Access(origins=(FRIEND, origin))
    for origin in ("http://localhost:3000", "https://[::1]:8443", "https://10.0.0.1"):
        assert Access(origins=(origin,)).trusts(origin, "cams:8080")


@given(st.text(), st.text())
def test_any_text_gives_an_answer(one: str, other: str) -> None:
    for access in (Access(TOKEN, HERE, (FRIEND,)), Access()):
        access.knows(one)
        access.trusts(one, other)
    assert not Access(TOKEN, HERE, (FRIEND,)).admits([one, other]) or TOKEN in (one, other)


@given(st.text(st.characters(max_codepoint=255)))
def test_any_header_gives_an_answer(text: str) -> None:
    access = Access(TOKEN, HERE, (FRIEND,))
    for each in (f"http://{text}", f"[{text}", f"[{text}]:80"):
        access.knows(each)
        access.trusts(each, text)


# -- tokens ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_without_the_token_nothing_is_seen(path: str, camera: Camera, closed: Viewer) -> None:
    with camera.streaming():
        for headers in ({}, BROWSER, {"Authorization": "Bearer wrong"}, {"Cookie": f"{COOKIE}=no"}):
            for asked in (path, f"{path}?token=wrong"):
                answer = ask(closed, asked, headers=headers)
                assert answer.status == 401
                assert "wants a token" in answer.text
                assert TOKEN not in answer.text
                assert answer.text.count("\n") == 1
                assert answer.headers["Set-Cookie"] is None
                assert safe(answer.headers)
    assert ask(closed, path, method="POST").status == 401
    assert camera.demands == [], "something was asked for"


def test_without_the_token_no_web_socket_is_opened(camera: Camera, closed: Viewer) -> None:
    with camera.streaming():
        for path in (f"/ws/{TOPIC}", f"/ws/{TOPIC}?token=wrong", "/ws/..", "/nope"):
            for headers in (
                {},
                {"Authorization": "Bearer wrong"},
                {"Authorization": f"Basic {TOKEN}"},
                {"Cookie": f"{COOKIE}=wrong"},
                {"Cookie": f"other={TOKEN}"},
            ):
                assert refused(closed, path, headers) == 403
    assert closed.viewers == 0
    assert camera.demands == []


OFFERS = [
    ({"Authorization": f"Bearer {TOKEN}"}, ""),
    ({"Authorization": f"bearer {TOKEN}"}, ""),
    ({"Cookie": f"{COOKIE}={TOKEN}"}, ""),
    ({"Cookie": f"a=b; {COOKIE}={TOKEN}; c=d"}, ""),
    ({}, f"?token={TOKEN}"),
    ({}, f"?a=b&token={TOKEN}&c=d"),
    ({"Cookie": f"{COOKIE}={TOKEN}"}, "?token=wrong"),
    ({"Authorization": "Bearer wrong", "Cookie": f"{COOKIE}={TOKEN}"}, ""),
]


@pytest.mark.parametrize(("headers", "query"), OFFERS)
def test_with_the_token_all_is_seen(
    headers: Headers, query: str, camera: Camera, closed: Viewer
) -> None:
    with camera.streaming():
        for path in ("/", "/page/page.js", "/api/streams", "/healthz", f"/snapshot/{TOPIC}"):
            assert ask(closed, path + query, headers=headers).status == 200
        with watch(closed, path=f"/ws/{TOPIC}{query}", headers=headers) as client:
            assert see(client) < see(client)
        with MotionJpeg(closed, TOPIC + query, headers) as stream:
            assert stream.status == 200
            number_of(stream.part()[1])
    assert ask(closed, "/nope" + query, headers=headers).status == 404


def test_garbage_is_no_token(camera: Camera, closed: Viewer) -> None:
    for token in GARBAGE:
        raw = token.encode("latin-1")
        line = (
            b"GET /api/streams?token=" + raw + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        if raw.isascii():
            assert ask_raw(closed, line).startswith(b"HTTP/1.1 401 "), token
        bytes_refused(closed, b"Authorization: Bearer " + raw)
        bytes_refused(closed, b"Cookie: " + COOKIE.encode() + b"=" + raw)
    assert camera.demands == []


def test_malformed_headers_are_no_token(closed: Viewer) -> None:
    for header in MALFORMED:
        bytes_refused(closed, header)


def test_cookies_of_other_servers_on_this_host_do_no_harm(closed: Viewer) -> None:
    """Browsers send those of all ports."""
    for others in OTHER_COOKIES:
        for cookie in (f"{others}; {COOKIE}={TOKEN}", f"{COOKIE}={TOKEN}; {others}"):
            assert ask(closed, "/api/streams", headers={"Cookie": cookie}).status == 200, cookie


# -- from the address to a cookie -----------------------------------------------------------------


def opened(viewer: Viewer, path: str) -> Answer:
    return ask(viewer, path, headers=BROWSER)


@pytest.mark.parametrize(
    ("path", "query", "left"),
    [
        ("/", "", ""),
        ("/", "&view=grid", "?view=grid"),
        ("/", "&topic=lab%2Fcam1&x=%26", "?topic=lab%2Fcam1&x=%26"),
        (f"/snapshot/{TOPIC}", "", ""),
        (f"/snapshot/{TOPIC}", "&t=1", "?t=1"),
        ("/api/streams", "", ""),
        ("/nope/", "", ""),
        ("/a:b", "", ""),
        ("/%20x%3F", "", ""),
    ],
)
def test_the_token_leaves_the_address(path: str, query: str, left: str, closed: Viewer) -> None:
    """Also where a proxy gives the viewer a place below its root."""
    answer = opened(closed, f"{path}?token={TOKEN}{query}")
    assert answer.status == 303
    assert safe(answer.headers)
    assert TOKEN not in answer.headers["Location"]
    for prefix in ("", "/cams", "/deep/er"):
        there = f"https://proxy.example{prefix}{path}"
        assert urljoin(f"{there}?token={TOKEN}{query}", answer.headers["Location"]) == there + left


def test_the_cookie(closed: Viewer) -> None:
    cookie = http.cookies.SimpleCookie(opened(closed, f"/?token={TOKEN}").headers["Set-Cookie"])
    assert cookie[COOKIE].value == TOKEN
    assert cookie[COOKIE]["httponly"]
    assert cookie[COOKIE]["samesite"] == "Lax"
    assert cookie[COOKIE]["path"] == "", "the browser takes the folder of the page"
    assert cookie[COOKIE]["domain"] == ""
    assert not cookie[COOKIE]["secure"]
    assert int(cookie[COOKIE]["max-age"]) > 86400


def test_a_browser_that_opened_the_address_is_known(camera: Camera, closed: Viewer) -> None:
    cookies = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(cookies)
    )
    browser.addheaders = list(BROWSER.items())
    with browser.open(f"http://{closed.host}/?token={TOKEN}", timeout=DEADLINE_S) as answer:
        assert answer.url == f"http://{closed.host}/"
        assert b"ours" in answer.read()
    for path in ("page/page.js", "api/streams"):
        with browser.open(f"http://{closed.host}/{path}", timeout=DEADLINE_S) as answer:
            assert answer.status == 200
    (cookie,) = cookies
    assert cookie.path == "/"


@pytest.mark.parametrize("query", ["token=wrong", f"token=wrong&token={TOKEN}", "token=%0d%0aX:y"])
def test_a_wrong_token_does_not_take_the_place_of_the_right_one(query: str, closed: Viewer) -> None:
    known = {**BROWSER, "Cookie": f"{COOKIE}={TOKEN}"}
    answer = ask(closed, f"/?{query}", headers=known)
    assert answer.status in (200, 303)
    cookie = answer.headers["Set-Cookie"]
    assert cookie is None or http.cookies.SimpleCookie(cookie)[COOKIE].value == TOKEN


def test_where_no_token_is_needed_none_is_kept(viewer: Viewer) -> None:
    answer = opened(viewer, "/?token=anything")
    assert answer.status in (200, 303)
    assert answer.headers["Set-Cookie"] is None


def test_a_program_gets_what_it_asks_for_without_a_detour(closed: Viewer) -> None:
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "image/avif,image/webp,*/*;q=0.8"}):
        answer = ask(closed, f"/api/streams?token={TOKEN}", headers=headers)
        assert answer.status == 200
        assert answer.headers["Set-Cookie"] is None


# -- hosts ----------------------------------------------------------------------------------------


def test_its_own_names_are_known(local: Viewer) -> None:
    for host in ("localhost", "127.0.0.1", "LOCALHOST:1", "[::1]:8080"):
        assert ask(local, "/api/streams", headers={"Host": host}).status == 200, host


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1.nip.io",
        "",
        "[",
        "[::1",
        "[evil]:80",
        "a b",
    ],
)
def test_no_other_name_can_be_made_to_point_here(host: str, camera: Camera, local: Viewer) -> None:
    name = host.format(port=local.port)
    for path in PATHS:
        answer = ask(local, path, headers={"Host": name})
        assert answer.status == 421, path
        assert answer.text.startswith("this server is not called")
        assert safe(answer.headers)
    assert camera.demands == []


def test_no_other_name_opens_a_web_socket(camera: Camera, local: Viewer) -> None:
    for host in ("evil.example", "[", ""):
        request = f"GET /ws/{TOPIC} HTTP/1.1\r\nHost: {host}\r\n{HANDSHAKE}"
        assert ask_raw(local, request.encode()).startswith(b"HTTP/1.1 403 "), host
    assert camera.demands == []


def test_a_request_without_a_host(local: Viewer) -> None:
    assert ask_raw(local, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 421 ")
    assert ask_raw(local, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_name_is_not_given_back_as_a_page(local: Viewer) -> None:
    answer = ask(local, "/", headers={"Host": "<script>alert(1)</script>"})
    assert answer.status == 421
    assert answer.headers.get_content_type() == "text/plain"


# -- origins --------------------------------------------------------------------------------------

STRANGERS = ["http://evil.example", "null", "http://[", "", "http://127.0.0.1", "\xff", FRIEND]


@pytest.mark.parametrize("origin", STRANGERS)
def test_pages_of_other_sites_see_nothing(origin: str, camera: Camera, local: Viewer) -> None:
    with camera.streaming():
        for path in PATHS:
            answer = ask(local, path, headers={"Origin": origin})
            assert answer.status == 403
            assert answer.headers["Access-Control-Allow-Origin"] is None
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert safe(answer.headers)
    assert camera.demands == []


def test_pages_of_other_sites_open_no_web_socket(camera: Camera, local: Viewer) -> None:
    with camera.streaming():
        for origin in STRANGERS:
            assert refused(local, headers={"Origin": origin}) == 403, origin
    assert camera.demands == []


def test_its_own_pages_may_ask(camera: Camera, local: Viewer) -> None:
    own = {"Origin": f"http://{local.host}"}
    assert ask(local, "/api/streams", headers=own).status == 200
    with watch(local, headers=own) as client, camera.streaming():
        see(client)


def test_the_pages_of_a_friend_may_ask(camera: Camera, friendly: Viewer) -> None:
    friend = {"Origin": FRIEND, "Authorization": f"Bearer {TOKEN}"}
    for path, code in (("/api/streams", 200), ("/nope", 404), ("/snapshot/..", 404)):
        answer = ask(friendly, path, headers=friend)
        assert answer.status == code
        assert answer.headers["Access-Control-Allow-Origin"] == FRIEND
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert "Origin" in answer.headers["Vary"]
        assert safe(answer.headers)
    with watch(friendly, headers=friend) as client, camera.streaming():
        see(client)


def test_the_browser_of_a_friend_may_ask_whether_it_may(camera: Camera, friendly: Viewer) -> None:
    question = {"Access-Control-Request-Method": "GET"}
    answer = ask(friendly, "/api/streams", method="OPTIONS", headers={"Origin": FRIEND, **question})
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == FRIEND
    assert answer.headers["Access-Control-Allow-Headers"] == "Authorization"
    for origin in STRANGERS[:-1]:
        headers = {"Origin": origin, **question}
        assert ask(friendly, "/api/streams", method="OPTIONS", headers=headers).status == 403
    assert ask(friendly, "/api/streams", method="OPTIONS", headers=question).status == 401
    assert camera.demands == []


def test_a_friend_needs_the_token_all_the_same(camera: Camera, friendly: Viewer) -> None:
    answer = ask(friendly, f"/snapshot/{TOPIC}", headers={"Origin": FRIEND})
    assert answer.status == 401
    assert answer.headers["Access-Control-Allow-Origin"] == FRIEND
    assert refused(friendly, headers={"Origin": FRIEND}) == 403
    assert camera.demands == []


def test_those_who_are_no_friends_are_not_told_who_is(friendly: Viewer) -> None:
    for origin in ("https://evil.example", f"{FRIEND}.evil.example", f"{FRIEND}:444"):
        answer = ask(friendly, "/api/streams", headers={"Origin": origin})
        assert answer.status == 403
        assert FRIEND not in str(answer.headers) + answer.text
    answer = ask(friendly, "/api/streams", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.headers["Access-Control-Allow-Origin"] is None


def test_the_door_opens_again_after_all_that(camera: Camera, closed: Viewer) -> None:
    """A hundred who are refused leave nothing behind."""
    for _ in range(100):
        with socket.create_connection(("127.0.0.1", closed.port), DEADLINE_S) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 401 ")
    until(lambda: closed.connections == 0)
    with watch(closed, path=f"/ws/{TOPIC}?token={TOKEN}") as client:
        until(lambda: camera.demand == WANTED)
        camera.show(1)
        assert see(client) == 1


def test_who_tries_tokens_is_told_once_and_the_tokens_are_not(
    closed: Viewer, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(50):
        assert ask(closed, "/", headers={"Authorization": f"Bearer guess{number}"}).status == 401
        assert ask(closed, f"/?token=guess{number}").status == 401
        assert ask(closed, "/").status == 401  # who has none does not try
    (line,) = caplog.records
    assert line.getMessage() == "wrong token from 127.0.0.1 (1 wrong ones so far)"


def test_a_token_that_could_be_guessed() -> None:
    with pytest.raises(UsageError, match="8 characters at least"):
        Access("a" * 7)
