"""Connections to addresses that other people chose: to nothing but what `jobs.addresses` calls public.

Every IP address of a name is checked, and the connection then goes to one that was checked, so that a second look-up
cannot answer otherwise. No key, no cookie and no proxy goes along; redirects are an answer like any other.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager

import httpx

from jobs.addresses import Address, is_public
from jobs.errors import DownloadBlocked, DownloadFailed, Said

MAX_ADDRESSES = 4  # of a name, tried one after the other

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""The IP addresses of a name. Raises OSError."""


async def resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host.encode(), port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def open_transport(verify: ssl.SSLContext | None = None) -> httpx.AsyncHTTPTransport:
    """It keeps no connection: one that was made for a name could serve another name at the same address.

    A transport and no client: a client reads every Location itself, and some make it fall over.
    """
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    return httpx.AsyncHTTPTransport(verify=verify or ssl.create_default_context(), limits=limits, trust_env=False)


class GuardedClient:
    def __init__(self, *, resolve: Resolve = resolve, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._resolve = resolve
        self._transport = transport or open_transport()

    @asynccontextmanager
    async def send(
        self,
        method: str,
        address: Address,
        *,
        exempt: AbstractSet[str],
        headers: Mapping[str, str],
        silence_s: float,
        content: bytes | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """The answer's head has come; leaving the block hangs up.

        What is `exempt` (`host:port`) may be private. `silence_s`: for a connection, and between two pieces. Raises
        DownloadBlocked for what is private, DownloadFailed for what cannot be found or reached, or falls silent.
        """
        ips = await self._ips(address, exempt)
        try:
            response = await self._connect(method, address, ips, headers, silence_s, content)
            try:
                yield response
            finally:
                await response.aclose()
        except httpx.RequestError as error:
            said = Said(message=type(error).__name__)
            raise DownloadFailed(f"{address.host} hung up or fell silent.", said=said) from error

    async def _ips(self, address: Address, exempt: AbstractSet[str]) -> list[str]:
        try:
            ips = await self._resolve(address.host, address.port)
        except OSError as error:
            raise DownloadFailed(f"{address.host} cannot be found.") from error
        if address.place not in exempt and not all(map(is_public, ips)):
            raise DownloadBlocked(f"{address.host} is not on the public internet.")
        return ips[:MAX_ADDRESSES]

    async def _connect(
        self,
        method: str,
        address: Address,
        ips: list[str],
        headers: Mapping[str, str],
        silence_s: float,
        content: bytes | None,
    ) -> httpx.Response:
        """The first of its addresses that takes the connection. The certificate is checked for the name."""
        timeout = httpx.Timeout(silence_s).as_dict()
        refused: httpx.RequestError | None = None
        for ip in ips:
            request = httpx.Request(
                method,
                address.at(ip),
                headers={"Host": address.authority, **headers},
                content=content,
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
