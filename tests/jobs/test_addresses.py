"""How URLs are read and which IP addresses are public, by a corpus of the spellings people get in with."""

from __future__ import annotations

import ipaddress
import random

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.addresses import MAX_URL_CHARACTERS, check_address, is_public, read_address
from jobs.errors import DownloadBlocked
from tests.jobs.hostile_urls import HOSTILE_URLS, NOT_PUBLIC, PUBLIC

NOTHING: frozenset[str] = frozenset()


@pytest.mark.parametrize("ip", NOT_PUBLIC)
def test_not_of_the_public_internet(ip: str) -> None:
    assert not is_public(ip)


@pytest.mark.parametrize("ip", PUBLIC)
def test_of_the_public_internet(ip: str) -> None:
    assert is_public(ip)


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if isinstance(address, ipaddress.IPv6Address) and int(address) >> 32 in (0xFFFF, 0x64FF9B << 64):
        return  # IPv4-mapped and NAT64: each counts as the IPv4 address inside
    assert not (is_public(str(address)) and (address.is_private or address.is_multicast or address.is_reserved))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_the_same_inside_of_an_ipv6_one(address: ipaddress.IPv4Address) -> None:
    assert is_public(f"::ffff:{address}") == is_public(str(address))
    assert is_public(f"64:ff9b::{address}") == is_public(str(address))
    assert not is_public(str(ipaddress.IPv6Address((0x2002 << 112) | (int(address) << 80) | 1)))
    assert not is_public(str(ipaddress.IPv6Address((0x20010000 << 96) | (int(address) ^ 0xFFFFFFFF))))


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_hostile_spelling(url: str) -> None:
    """It is refused as it stands, or read as a name or address that the next check refuses."""
    try:
        address = read_address(url)
        check_address(address, None, NOTHING)
    except DownloadBlocked:
        return
    assert address.scheme == "https"
    is_literal = ":" in address.host or address.host.replace(".", "").isdigit()
    assert not is_literal or not is_public(address.host)


def test_the_corpus_is_large_enough() -> None:
    assert len(set(HOSTILE_URLS)) >= 150


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        ("https://replicate.delivery/pbxt/a.png", "replicate.delivery", 443, "/pbxt/a.png"),
        ("HTTPS://Replicate.Delivery.:443/a?b=%2F&c", "replicate.delivery", 443, "/a?b=%2F&c"),
        ("https://v3.fal.media", "v3.fal.media", 443, "/"),
        ("https://v3.fal.media?x=1#part", "v3.fal.media", 443, "/?x=1"),
        ("https://bücher.example/ä", "xn--bcher-kva.example", 443, "/ä"),
        ("http://[::1]:8188/view?filename=a.png", "::1", 8188, "/view?filename=a.png"),
        ("https://[2606:4700:4700:0::1111]/a@b", "2606:4700:4700::1111", 443, "/a@b"),
        ("https://8.8.8.8/a", "8.8.8.8", 443, "/a"),
        ("http://localhost:8188", "localhost", 8188, "/"),
    ],
)
def test_an_honest_one_is_read(url: str, host: str, port: int, target: str) -> None:
    address = read_address(url)

    assert (address.host, address.port, address.target) == (host, port, target)
    assert read_address(address.url) == address


def test_only_https_on_its_port() -> None:
    for url in ("http://cdn.example/a", "https://cdn.example:8443/a", "https://cdn.example:80/a"):
        with pytest.raises(DownloadBlocked):
            check_address(read_address(url), None, NOTHING)
    check_address(read_address("https://cdn.example:443/a"), None, NOTHING)


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("replicate.delivery", True),
        ("pbxt.replicate.delivery", True),
        ("a.b.replicate.delivery", True),
        ("cdn.discordapp.com", True),
        ("x.cdn.discordapp.com", False),
        ("discordapp.com", False),
        ("evilreplicate.delivery", False),
        ("replicate.delivery.evil.example", False),
        ("delivery", False),
        ("8.8.8.8", False),
    ],
)
def test_a_providers_pictures_come_from_its_hosts(host: str, is_allowed: bool) -> None:
    hosts = frozenset({"replicate.delivery", "*.replicate.delivery", "cdn.discordapp.com"})
    address = read_address(f"https://{host}/a")
    if is_allowed:
        check_address(address, hosts, NOTHING)
        return
    with pytest.raises(DownloadBlocked):
        check_address(address, hosts, NOTHING)


def test_an_exempt_place_is_one_host_on_one_port() -> None:
    exempt = frozenset({"127.0.0.1:8188", "[::1]:8188"})

    for url in ("http://127.0.0.1:8188/view", "http://[0:0::1]:8188/view"):
        check_address(read_address(url), frozenset(), exempt)
    for url in ("http://127.0.0.1:8189/", "http://127.0.0.2:8188/", "http://localhost:8188/"):
        with pytest.raises(DownloadBlocked):
            check_address(read_address(url), frozenset(), exempt)


@given(st.integers(0, 2**32 - 1))
def test_what_is_read_is_what_is_asked_for(seed: int) -> None:
    """Corpus spellings shuffled together: whatever is accepted, httpx sees the same host in it."""
    chance = random.Random(seed)
    url = "".join(chance.choice(HOSTILE_URLS)[: chance.randrange(40)] for _ in range(3))
    try:
        address = read_address(url)
    except DownloadBlocked:
        return

    request = httpx.URL(address.at("192.0.2.1"))
    assert request.host == "192.0.2.1"
    assert httpx.URL(address.url).raw_host.decode() == address.host


def test_a_user_name_is_said_to_be_in_the_way() -> None:
    with pytest.raises(DownloadBlocked, match="user name"):
        read_address("https://me:secret@cdn.example/")


def test_an_address_without_end() -> None:
    with pytest.raises(DownloadBlocked):
        read_address("https://cdn.example/" + "a" * MAX_URL_CHARACTERS)
