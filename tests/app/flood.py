"""A process of its own that sends what `reports.py` makes up: who measures beside it must not wait for its own flood.

    python -m tests.app.flood <server> <order> <job> <count>

Prints the statuses it got.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections import Counter

import httpx

from tests.app.reports import Job, Victim, attacks, other_attacks

SIDE_BY_SIDE = 4  # as many as keep one server process busy
OTHERS = 10  # one in so many, besides


async def flood(server: str, victim: Victim, count: int) -> Counter[int]:
    statuses: Counter[int] = Counter()
    waiting = itertools.chain(attacks(victim, count, seed=7), other_attacks(victim, count // OTHERS, seed=7))
    async with httpx.AsyncClient(base_url=f"{server}/api/webhooks", timeout=60, trust_env=False) as client:

        async def attack() -> None:
            for path, body, headers in waiting:
                answer = await client.post(path, content=body, headers=list(headers.items()))
                statuses[answer.status_code] += 1

        await asyncio.gather(*(attack() for _ in range(SIDE_BY_SIDE)))
    return statuses


if __name__ == "__main__":
    url, order_id, job_id, number = sys.argv[1:]
    print(json.dumps(asyncio.run(flood(url, Job(order_id, job_id), int(number)))))
