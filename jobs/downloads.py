"""Pictures from other people's addresses, by rules that no URL, redirect or name server can talk its way around.

Every hop is checked anew: the URL as it is written, every IP address of its name, and the connection then goes to an
address that was checked, so that a second look-up cannot answer otherwise. No key, no cookie and no proxy goes along.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from urllib.parse import urljoin

import httpx
import msgspec

from jobs.addresses import Address, check_address, is_public, read_address
from jobs.errors import DownloadBlocked, DownloadFailed, Said
from jobs.images.decode import sniff

MAX_REDIRECTS = 3
MAX_ADDRESSES = 4  # of a name, tried one after the other
SNIFFED_BYTES = 64  # AVIF may name itself only after other brands
_HEADERS = {"User-Agent": "easel", "Accept": "image/*", "Accept-Encoding": "identity", "Connection": "close"}
_EXPIRED = {403, 404, 410}
_REDIRECTS = {301, 302, 303, 307, 308}

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""The IP addresses of a name. Raises OSError."""


class DownloadLimits(msgspec.Struct, frozen=True):
    max_bytes: int = 50 << 20
    deadline_s: float = 120.0
    """For all of it, redirects and look-ups too."""
    silence_s: float = 15.0
    """For a connection, and between two pieces."""
    grace_s: float = 10.0
    """After that, a download slower than `min_bytes_per_s` on the whole is given up."""
    min_bytes_per_s: int = 10_000
    at_once: int = 4
    """That come in, and are held in memory; who has not begun to send holds nobody up."""


async def resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host.encode(), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def open_transport(verify: ssl.SSLContext | None = None) -> httpx.AsyncHTTPTransport:
    """It keeps no connection: one that was made for a name could serve another name at the same address.

    A transport and no client: a client reads every Location itself, and some make it fall over.
    """
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    return httpx.AsyncHTTPTransport(verify=verify or ssl.create_default_context(), limits=limits, trust_env=False)


class Downloads:
    def __init__(
        self,
        *,
        private_hosts: Iterable[str] = (),
        limits: DownloadLimits | None = None,
        resolve: Resolve = resolve,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`private_hosts` (`host:port`, EASEL_ALLOW_PRIVATE_HOSTS) are fetched from wherever they are, by http, too."""
        self._transport = transport or open_transport()
        self._private_hosts = frozenset(host.lower() for host in private_hosts)
        self._limits = limits or DownloadLimits()
        self._resolve = resolve
        self._clock = clock
        self._places = asyncio.Semaphore(self._limits.at_once)

    async def fetch(self, url: str, *, hosts: frozenset[str] | None, own_origin: str | None = None) -> bytes:
        """A picture, to judge by its first bytes. The rest of it is for the sandbox to check.

        `hosts`: a provider's `result_hosts`; None: any public one (what users import). `own_origin`: the provider's own
        base URL, which the operator has set and therefore may be private. Raises DownloadBlocked (DOWNLOAD_BLOCKED,
        DOWNLOAD_TOO_LARGE), DownloadFailed (DOWNLOAD_FAILED, OUTPUT_EXPIRED), ImageInvalid.
        """
        exempt = self._private_hosts | ({read_address(own_origin).place} if own_origin else frozenset())
        try:
            async with asyncio.timeout(self._limits.deadline_s) as deadline:
                return await self._follow(url, hosts, exempt)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise DownloadFailed(f"The picture did not come within {self._limits.deadline_s:g} s.") from error

    async def _follow(self, url: str, hosts: frozenset[str] | None, exempt: frozenset[str]) -> bytes:
        for _ in range(1 + MAX_REDIRECTS):
            address = read_address(url)
            check_address(address, hosts, exempt)
            async with self._open(address, await self._ips(address, exempt)) as response:
                if response.status_code not in _REDIRECTS:
                    async with self._places:
                        return await self._read(response, address)
                url = _joined(address, response.headers.get("location", ""))
        raise DownloadBlocked(f"The address leads to another one more than {MAX_REDIRECTS} times.")

    async def _ips(self, address: Address, exempt: frozenset[str]) -> list[str]:
        try:
            ips = await self._resolve(address.host, address.port)
        except OSError as error:
            raise DownloadFailed(f"{address.host} cannot be found.") from error
        if address.place not in exempt and not all(map(is_public, ips)):
            raise DownloadBlocked(f"{address.host} is not on the public internet.")
        return ips[:MAX_ADDRESSES]

    @asynccontextmanager
    async def _open(self, address: Address, ips: list[str]) -> AsyncIterator[httpx.Response]:
        try:
            response = await self._connect(address, ips)
            try:
                yield response
            finally:
                await response.aclose()
        except httpx.RequestError as error:
            said = Said(message=type(error).__name__)
            raise DownloadFailed(f"{address.host} hung up or fell silent.", said=said) from error

    async def _connect(self, address: Address, ips: list[str]) -> httpx.Response:
        """The first of its addresses that takes the connection. The certificate is checked for the name."""
        timeout = httpx.Timeout(self._limits.silence_s).as_dict()
        refused: httpx.RequestError | None = None
        for ip in ips:
            request = httpx.Request(
                "GET",
                address.at(ip),
                headers={"Host": address.authority, **_HEADERS},
                extensions={"sni_hostname": address.host, "timeout": timeout},
            )
            try:
                response = await self._transport.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                refused = error
            else:
                response.request = request
                return response
        raise DownloadFailed(f"{address.host} cannot be reached.") from refused

    async def _read(self, response: httpx.Response, address: Address) -> bytes:
        _check_status(response, address)
        length = response.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._limits.max_bytes:
            raise self._too_large()
        content, started = bytearray(), self._clock()
        is_sniffed = False
        async for piece in response.aiter_raw():  # nothing is ever unpacked, so nothing can blow up
            content += piece
            if len(content) > self._limits.max_bytes:
                raise self._too_large()
            if not is_sniffed and len(content) >= SNIFFED_BYTES:
                sniff(bytes(content[:SNIFFED_BYTES]))
                is_sniffed = True
            elapsed_s = self._clock() - started
            if elapsed_s > self._limits.grace_s and len(content) < elapsed_s * self._limits.min_bytes_per_s:
                raise DownloadFailed(f"{address.host} sends too slowly.")
        if not is_sniffed:
            sniff(bytes(content))
        return bytes(content)

    def _too_large(self) -> DownloadBlocked:
        limit = f"{self._limits.max_bytes / (1 << 20):g} MiB"
        return DownloadBlocked(f"The picture is larger than {limit}.", code="DOWNLOAD_TOO_LARGE")


def _joined(address: Address, location: str) -> str:
    try:
        return urljoin(address.url, location)
    except ValueError as error:
        raise DownloadBlocked(f"{address.host} leads to an address that is none.") from error


def _check_status(response: httpx.Response, address: Address) -> None:
    status = response.status_code
    if status == 200:
        return
    said = Said(http_status=status)
    if status in _EXPIRED:
        raise DownloadFailed(f"{address.host} no longer has the picture ({status}).", code="OUTPUT_EXPIRED", said=said)
    raise DownloadFailed(f"{address.host} answered {status} instead of the picture.", said=said)
