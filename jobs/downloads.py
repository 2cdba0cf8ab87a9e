"""Pictures from other people's addresses, by rules that no URL, redirect or name server can talk its way around.

Every hop is checked anew: the URL as it is written here, where it leads to by `jobs.guarded`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from urllib.parse import urljoin

import httpx
import msgspec

from jobs.addresses import Address, check_address, read_address
from jobs.errors import DownloadBlocked, DownloadFailed, Said
from jobs.guarded import GuardedClient, Resolve, resolve
from jobs.images.decode import sniff

MAX_REDIRECTS = 3
SNIFFED_BYTES = 64  # AVIF may name itself only after other brands
_HEADERS = {"User-Agent": "easel", "Accept": "image/*", "Accept-Encoding": "identity", "Connection": "close"}
_EXPIRED = {403, 404, 410}
_REDIRECTS = {301, 302, 303, 307, 308}


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
        self._client = GuardedClient(resolve=resolve, transport=transport)
        self._private_hosts = frozenset(host.lower() for host in private_hosts)
        self._limits = limits or DownloadLimits()
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
            silence_s = self._limits.silence_s
            async with self._client.send(
                "GET", address, exempt=exempt, headers=_HEADERS, silence_s=silence_s
            ) as response:
                if response.status_code not in _REDIRECTS:
                    async with self._places:
                        return await self._read(response, address)
                url = _joined(address, response.headers.get("location", ""))
        raise DownloadBlocked(f"The address leads to another one more than {MAX_REDIRECTS} times.")

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
