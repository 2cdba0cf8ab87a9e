"""The relay over Redis pub/sub: one channel a workflow, one subscribing connection a process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from canvas.relay.port import Hint, Listener

log = structlog.get_logger(__name__)

_CHANNEL = "easel:workflow:"
_RETRY_S = 0.5  # how long a lost subscription waits before it tries again
_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[Hint] = msgspec.json.Decoder(Hint)


class RedisRelay:
    """Use `open_relay`. While Redis is away hints are dropped and the subscription is tried again until it holds."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._pubsub: PubSub = redis.pubsub(ignore_subscribe_messages=True)
        self._listeners: dict[str, list[Listener]] = {}
        self._wake = asyncio.Event()

    async def publish(self, workflow_id: str, hint: Hint) -> None:
        try:
            await self._redis.publish(_CHANNEL + workflow_id, _encode(hint))
        except (RedisError, OSError) as error:
            log.warning("relay.publish_lost", workflow=workflow_id, reason=type(error).__name__)

    async def subscribe(self, workflow_id: str, listener: Listener) -> Callable[[], None]:
        listeners = self._listeners.get(workflow_id)
        if listeners is None:
            listeners = self._listeners[workflow_id] = []
            listeners.append(listener)
            with contextlib.suppress(RedisError, OSError):  # `carry` subscribes everything again when Redis is back
                await self._pubsub.subscribe(_CHANNEL + workflow_id)
            self._wake.set()
        else:
            listeners.append(listener)
        return lambda: self._forget(workflow_id, listener)

    def _forget(self, workflow_id: str, listener: Listener) -> None:
        # The channel itself is left by `carry`, which owns the connection, when it next hears something there.
        listeners = self._listeners.get(workflow_id, [])
        if listener in listeners:
            listeners.remove(listener)

    async def carry(self) -> None:
        """Deliver hints until cancelled."""
        while True:
            try:
                await self._wake.wait()
                await self._deliver()
            except (RedisError, OSError) as error:
                log.warning("relay.lost", reason=type(error).__name__)
            if self._listeners:  # the connection broke, or the first subscription never reached Redis
                await asyncio.sleep(_RETRY_S)
                await self._resubscribe()
            else:
                self._wake.clear()

    async def _deliver(self) -> None:
        async for message in self._pubsub.listen():
            workflow_id = message["channel"].decode().removeprefix(_CHANNEL)
            listeners = self._listeners.get(workflow_id)
            if not listeners:
                self._listeners.pop(workflow_id, None)
                await self._pubsub.unsubscribe(message["channel"])
                continue
            try:
                hint = _decoder.decode(message["data"])
            except msgspec.DecodeError:
                log.warning("relay.unreadable", workflow=workflow_id)  # another version's hint: the poll heals
                continue
            for listener in tuple(listeners):
                listener(hint)

    async def _resubscribe(self) -> None:
        with contextlib.suppress(RedisError, OSError):
            await self._pubsub.aclose()  # type: ignore[no-untyped-call]
            self._pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
            if self._listeners:
                await self._pubsub.subscribe(*(_CHANNEL + workflow_id for workflow_id in self._listeners))

    async def close(self) -> None:
        await self._pubsub.aclose()  # type: ignore[no-untyped-call]


@asynccontextmanager
async def open_relay(redis: Redis) -> AsyncIterator[RedisRelay]:
    relay = RedisRelay(redis)
    carrier = asyncio.create_task(relay.carry(), name="relay")
    try:
        yield relay
    finally:
        carrier.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await carrier
        await relay.close()
