"""Which addresses may be fetched from: how a URL is read, and which of its IP addresses are of the public internet.

Pure. `jobs.downloads` connects, and to nothing but what was checked here.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

import httpx

from jobs.errors import DownloadBlocked

MAX_URL_CHARACTERS = 8_192  # signed links are long, and none is longer

_URL = re.compile(r"(https?)://([^/?#]*)([^#]*)(?:#.*)?", re.IGNORECASE | re.DOTALL)
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?")
_NAME = re.compile(r"(?!.{254})(?:(?!-)[a-z0-9_-]{1,63}(?<!-)\.)*(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
_PORTS = {"https": 443, "http": 80}

# IANA's special-purpose registries, 2026-11. Our own list, as `ipaddress.is_global` changes with Python's patches.
_NOT_PUBLIC_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",  # carriers' NAT; 100.100.100.200 is Alibaba's metadata
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure's own, in the middle of public space
            "169.254.0.0/16",  # 169.254.169.254 is everybody's metadata
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",  # multicast, reserved, broadcast
        ),
    )
)
_PUBLIC_V6 = IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocols' own, Teredo among them
            "2001:db8::/32",
            "2002::/16",  # 6to4: an IPv4 address in disguise, and no server has lived there for years
            "3fff::/20",
        ),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")  # how an IPv6-only network sees public IPv4


class Address(NamedTuple):
    """A URL, read strictly: what is connected to is what was checked."""

    scheme: str
    host: str
    """A lower-case ASCII name or an IP address, without brackets or a dot at the end."""
    port: int
    target: str
    """Path and query."""

    @property
    def place(self) -> str:
        """`host:port`, as in EASEL_ALLOW_PRIVATE_HOSTS."""
        return f"{_bracketed(self.host)}:{self.port}"

    @property
    def authority(self) -> str:
        """What a `Host` header says."""
        return _bracketed(self.host) if self.port == _PORTS[self.scheme] else self.place

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    def at(self, ip: str) -> str:
        """The URL with an IP address in the host's place."""
        return f"{self.scheme}://{_bracketed(ip)}:{self.port}{self.target}"


def read_address(url: str) -> Address:
    """Raises DownloadBlocked for all that is not a plain http or https URL of a name or an IP address."""
    if len(url) > MAX_URL_CHARACTERS or _UNSAFE.search(url):
        raise DownloadBlocked("The address has blanks, control characters or backslashes, or is too long.")
    found = _URL.fullmatch(url)
    if not found:
        raise DownloadBlocked("The address is no http or https URL.")
    scheme, authority, target = found[1].lower(), found[2], found[3]
    if "@" in authority:
        raise DownloadBlocked("The address has a user name in it. Leave that out.")
    parts = _AUTHORITY.fullmatch(authority)
    port = int(parts[2] or _PORTS[scheme]) if parts else 0
    if not parts or not 1 <= port <= 65535:
        raise DownloadBlocked("The address has no valid host and port.")
    return Address(scheme, _host(parts[1]), port, target if target.startswith("/") else "/" + target)


def check_address(address: Address, hosts: AbstractSet[str] | None, exempt: AbstractSet[str]) -> None:
    """Raises DownloadBlocked unless it is https on port 443 of a name that is listed in `hosts` (None: of any name).

    What is `exempt` (`host:port`) may be anything.
    """
    if address.place in exempt:
        return
    if address.scheme != "https" or address.port != _PORTS["https"]:
        raise DownloadBlocked(f"{address.place} is not fetched from: only https on port 443 is.")
    if hosts is not None and not any(_is_under(address.host, pattern) for pattern in hosts):
        raise DownloadBlocked(f"Pictures of this provider do not come from {address.host}.")


def is_public(ip: str) -> bool:
    """Whether an IP address belongs to the public internet. An IPv4 address inside an IPv6 one counts as itself."""
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if address.scope_id:
            return False
        inner = address.ipv4_mapped or (IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None)
        if inner is None:
            return address in _PUBLIC_V6 and not any(address in network for network in _NOT_PUBLIC_V6)
        address = inner
    return not any(address in network for network in _NOT_PUBLIC_V4)


def _host(written: str) -> str:
    if written.startswith("["):
        return _ipv6(written[1:-1])
    host = written.lower().removesuffix(".")
    if not host.isascii():
        host = _ascii(host)
    if _NUMBER.fullmatch(host.rpartition(".")[2]):  # whatever ends in a number is an IPv4 address, as browsers say, too
        return _ipv4(host)
    if not _NAME.fullmatch(host):
        raise DownloadBlocked("The address has no valid host name.")
    return host


def _ascii(host: str) -> str:
    """By IDNA 2008: full-width digits and their like are no letters of a name, and refused."""
    try:
        return httpx.URL(f"https://{host}/").raw_host.decode("ascii")
    except httpx.InvalidURL as error:
        raise DownloadBlocked("The address has no valid host name.") from error


def _ipv4(written: str) -> str:
    try:
        return str(IPv4Address(written))
    except AddressValueError as error:
        raise DownloadBlocked("The address has an IP address in an odd form. Write it as 192.0.2.1.") from error


def _ipv6(written: str) -> str:
    try:
        address = IPv6Address(written)
    except AddressValueError as error:
        raise DownloadBlocked("The address has an IPv6 address that is none.") from error
    if address.scope_id is not None:
        raise DownloadBlocked("The address names a network of this machine.")
    return str(address)


def _is_under(host: str, pattern: str) -> bool:
    if pattern.startswith("*"):
        return host.endswith(pattern[1:])
    return host == pattern


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
