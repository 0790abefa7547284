"""Whom apt connects to, by its own configuration."""

import pytest

from library.package_sources import place, places

NO_PROXY = 'Acquire::http "";\nAcquire::http::Proxy "";\n'


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://deb.example.org/debian/", ("deb.example.org", 80)),
        ("https://deb.example.org/debian/", ("deb.example.org", 443)),
        ("http://deb.example.org:3142/debian/", ("deb.example.org", 3142)),
        ("mirror+https://deb.example.org/list", ("deb.example.org", 443)),
        ("http://[2001:db8::1]/debian", ("2001:db8::1", 80)),
        ("file:/srv/packages", None),
        ("cdrom://Debian 12", None),
        ("mirror+file:/etc/apt/mirrors", None),
        ("", None),
    ],
)
def test_place_of_a_source(address: str, expected: tuple[str, int] | None) -> None:
    assert place(address) == expected


def test_each_server_stands_once() -> None:
    sources = ["http://b.example/x", "http://a.example/x", "http://a.example/y", "file:/x"]
    assert places(sources, NO_PROXY) == [("a.example", 80), ("b.example", 80)]
    assert places([], "") == []


def test_a_proxy_stands_for_what_it_fetches() -> None:
    settings = (
        'Acquire::http::Proxy "http://proxy.example:3128";\n'
        'Acquire::http::Proxy::near.example "DIRECT";\n'
        'Acquire::https::Proxy::far.example "http://other.example:8080/";\n'
    )
    sources = [
        "http://deb.example/x",
        "http://near.example/x",
        "https://far.example/x",
        "https://deb.example/x",
    ]
    assert places(sources, settings) == [
        ("deb.example", 443),
        ("near.example", 80),
        ("other.example", 8080),
        ("proxy.example", 3128),
    ]
