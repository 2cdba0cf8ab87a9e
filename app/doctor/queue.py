"""Redis and the workers behind it."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.doctor.findings import PATIENCE_S, Ground, IllError, all_of
from app.embedded.redis import OLDEST, find_server
from app.settings import masked
from jobs.queue import workers_alive


async def connected(url: str) -> Redis | None:
    """None when nobody answers there: `answers` says so."""
    try:
        client: Redis = Redis.from_url(url, socket_connect_timeout=PATIENCE_S, socket_timeout=PATIENCE_S)
    except ValueError:
        return None
    try:
        await client.ping()
    except (RedisError, OSError):
        await client.aclose()
        return None
    return client


async def answers(ground: Ground) -> str:
    url = ground.redis_url
    if url is None:
        return f"embedded ({find_server()}); `easel up` starts it."
    shown = masked("EASEL_REDIS_URL", url)
    if ground.redis is None:
        try:
            await Redis.from_url(url).aclose()
        except ValueError as error:
            raise IllError(f"EASEL_REDIS_URL is no Redis URL ({error}).") from error
        raise IllError(f"Redis cannot be reached at {shown}: start it, or correct EASEL_REDIS_URL.")
    version = str((await ground.redis.info("server"))["redis_version"])
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise IllError(f"Redis is version {version}: Easel needs 6.2 or newer.")
    return f"Redis {version} answers at {shown}."


async def keeps(ground: Ground) -> str:
    """That it is the one to write to, and forgets nothing of its own accord."""
    redis = ground.reached_redis()
    memory, replication = await redis.info("memory"), await redis.info("replication")
    wrong = []
    if replication.get("role") == "slave":
        wrong.append("This Redis is a replica that can only be read: let EASEL_REDIS_URL lead to the primary.")
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        wrong.append(
            f"Redis throws keys away when it is full (`maxmemory-policy {policy}`), runs that wait among them: "
            "set it to noeviction, and use a Redis that is no cache."
        )
    return all_of(wrong, "it throws nothing away.")


async def worker(ground: Ground) -> str:
    if ground.redis_url is None:
        return "`easel up` starts one."
    if not await workers_alive(ground.reached_redis()):
        raise IllError("No worker has looked at the queue lately: start `easel worker`.")
    return "at work."
