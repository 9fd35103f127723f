"""A credential belongs to one origin: tricky addresses must not look like it."""

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from providers.origin import Origin

HOME = Origin("https", "api.cronofy.com", 443)

SAME = [
    "https://api.cronofy.com",
    "https://api.cronofy.com/",
    "https://API.Cronofy.COM/v1",
    "HTTPS://api.cronofy.com:443/x?y#z",
    "https://api.cronofy.com./v1",
    "https://api.cronofy.com:/v1",
    "https://api.cronofy.com?@evil.example/",
    "https://api.cronofy.com#@evil.example/",
    "https://api.cronofy.com/@evil.example/",
]

ELSEWHERE = {
    "user name": "https://api.cronofy.com@evil.example/",
    "user and password": "https://api.cronofy.com:443@evil.example/",
    "user name at home": "https://user@api.cronofy.com/",
    "suffix": "https://api.cronofy.com.evil.example/",
    "prefix": "https://evil-api.cronofy.com/",
    "backslash": "https://api.cronofy.com\\@evil.example/",
    "backslash as slash": "https:\\\\api.cronofy.com\\",
    "IDN homograph": "https://ap\u0456.cronofy.com/",
    "punycode homograph": "https://xn--ap-mmc.cronofy.com/",
    "full-width dot": "https://api.cronofy\uff0ecom/",
    "soft hyphen": "https://api.cro\u00adnofy.com/",
    "escaped dot": "https://api.cronofy%2ecom/",
    "escaped slash": "https://api.cronofy.com%2f@evil.example/",
    "two trailing dots": "https://api.cronofy.com../",
    "leading dot": "https://.api.cronofy.com/",
    "empty label": "https://api..cronofy.com/",
    "other port": "https://api.cronofy.com:8443/",
    "port of http": "https://api.cronofy.com:80/",
    "port zero": "https://api.cronofy.com:0/",
    "port too large": "https://api.cronofy.com:65979/",
    "port with a sign": "https://api.cronofy.com:+443/",
    "port in other digits": "https://api.cronofy.com:\u0664\u0664\u0663/",
    "two ports": "https://api.cronofy.com:443:443/",
    "other scheme": "http://api.cronofy.com/",
    "http with the port of https": "http://api.cronofy.com:443/",
    "file": "file:///etc/passwd",
    "javascript": "javascript://api.cronofy.com/%0aalert(1)",
    "no scheme": "//api.cronofy.com/",
    "no slashes": "https:api.cronofy.com",
    "three slashes": "https:///api.cronofy.com/",
    "leading space": " https://api.cronofy.com/",
    "tab inside": "https://api.cro\tnofy.com/",
    "newline inside": "https://api.cronofy.com/\nx",
    "NUL": "https://api.cronofy.com\x00.evil.example/",
    "semicolon": "https://api.cronofy.com;.evil.example/",
    "comma": "https://api.cronofy.com,evil.example/",
    "ampersand": "https://api.cronofy.com&evil.example/",
    "zone": "https://[fe80::1%25eth0]/",
    "after the bracket": "https://[::1]api.cronofy.com/",
    "IPvFuture": "https://[v1.api.cronofy.com]/",
    "name in brackets": "https://[api.cronofy.com]/",
    "no address in brackets": "https://[1:2]/",
    "half a bracket": "https://[::1/",
    "empty": "",
    "no host": "https://",
    "only a dot": "https://./",
    "only a port": "https://:443/",
}


@pytest.mark.parametrize("url", SAME)
def test_the_same_origin(url: str) -> None:
    assert Origin.of(url) == HOME


@pytest.mark.parametrize("url", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_another_origin_or_none(url: str) -> None:
    assert Origin.of(url) != HOME


@pytest.mark.parametrize("name", ["user name", "backslash", "port zero", "after the bracket", "two trailing dots"])
def test_odd_addresses_have_no_origin_at_all(name: str) -> None:
    assert Origin.of(ELSEWHERE[name]) is None


LABEL = st.text(st.sampled_from("abF0-_"), min_size=1, max_size=4)
HOST = st.lists(LABEL, min_size=1, max_size=3).map(".".join) | st.sampled_from(["[::1]", "[2001:DB8::1]", "127.0.0.1"])
ODD = st.text(st.sampled_from("ab.:@[]%-_;,\\0123456789Fx~!$&'()*+="), min_size=1, max_size=24)
AUTHORITY = ODD | st.tuples(HOST, st.sampled_from(["", ".", ":", ":1", ":443", ":080", ":0"])).map("".join)


@example("https", "[::1]a", "/")
@example("https", "a..", "/")
@example("https", "[v1.a]", "/")
@given(st.sampled_from(["http", "https", "HTTPS"]), AUTHORITY, st.sampled_from(["", "/", "/a", "?q", "#f"]))
def test_where_httpx_would_connect_is_where_the_origin_is(scheme: str, authority: str, rest: str) -> None:
    url = f"{scheme}://{authority}{rest}"
    origin = Origin.of(url)
    if origin is None:
        return  # no credential goes there
    try:
        sent = httpx.URL(url)
    except httpx.InvalidURL:
        return  # it is not sent at all
    default = 443 if sent.scheme == "https" else 80
    host = sent.host.lower().removesuffix(".")
    assert (sent.scheme, host, sent.port or default) == (origin.scheme, origin.host, origin.port)


@given(st.text())
def test_any_text_is_an_origin_or_none(text: str) -> None:
    origin = Origin.of(text)
    assert origin is None or Origin.of(str(origin)) == origin


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://a.example:443/x", "https://a.example"),
        ("http://a.example:80", "http://a.example"),
        ("http://a.example:443", "http://a.example:443"),
        ("https://[2001:DB8::1]/", "https://[2001:db8::1]"),
        ("https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443"),
        ("http://127.0.0.1:8043/y", "http://127.0.0.1:8043"),
    ],
)
def test_how_origins_look(url: str, text: str) -> None:
    assert str(Origin.of(url)) == text


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost:1", True),
        ("http://LOCALHOST./", True),
        ("http://127.0.0.1", True),
        ("http://127.8.9.1", True),
        ("http://[::1]:8080", True),
        ("http://localhost.evil.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://10.0.0.1", False),
        ("http://2130706433", False),
        ("http://0x7f.1", False),
        ("http://[fd00::1]", False),
    ],
)
def test_what_is_loopback(url: str, loopback: bool) -> None:
    origin = Origin.of(url)
    assert origin is not None
    assert origin.is_loopback is loopback


@pytest.mark.parametrize(
    ("url", "pattern", "fits"),
    [
        ("https://a.example", "a.example", True),
        ("https://a.example", " A.Example ", True),
        ("https://a.example", "a.example.", True),
        ("https://a.example:8443", "a.example", True),
        ("https://a.example:8443", "a.example:8443", True),
        ("https://a.example", "a.example:443", True),
        ("https://a.example:8443", "a.example:443", False),
        ("https://a.example", "a.example:8443", False),
        ("https://b.a.example", "a.example", False),
        ("https://b.a.example", "*.a.example", True),
        ("https://c.b.a.example", "*.a.example", True),
        ("https://a.example", "*.a.example", False),
        ("https://evila.example", "*.a.example", False),
        ("https://a.example.evil", "*.a.example", False),
        ("https://a.example", "*", False),
        ("https://a.example", "*.", False),
        ("https://a.example", "", False),
        ("https://[::1]:8443", "[::1]:8443", True),
        ("https://[::1]:8443", "[::1]", True),
        ("https://[::1]", "::1", True),
        ("https://[::1]", "[::2]", False),
    ],
)
def test_patterns(url: str, pattern: str, fits: bool) -> None:
    origin = Origin.of(url)
    assert origin is not None
    assert origin.matches(pattern) is fits
