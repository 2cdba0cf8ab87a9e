"""The door to an Easel elsewhere: a small client over the `websockets` library, for scripts, agents and tests.

    async with open_canvas("http://127.0.0.1:8000", "wf_…", token) as canvas:
        await canvas.push(Add("node", {"id": "fox", "position": {"x": 0, "y": 0}, "data": {"prompt": "a fox"}}))
        canvas.presence.set(cursor={"x": 40, "y": 20}, selection=["fox"])
        async for news in canvas.news():
            if isinstance(news, Edited):
                print(news.transaction.by.user_id, news.transaction.ops)

A push returns when it is stored, or refused. Servers and networks may come and go meanwhile: the canvas comes back,
resumes where it stopped, and pushes again what was not answered, under the same number, so that it is applied once.
"""

from canvas.client.connection import Canvas, open_canvas
from canvas.client.news import (
    Connected,
    Disconnected,
    Edited,
    Joined,
    Left,
    Listening,
    News,
    Ran,
    Reloaded,
    Shown,
    Skipped,
)
from canvas.client.replica import Replica

__all__ = [
    "Canvas",
    "Connected",
    "Disconnected",
    "Edited",
    "Joined",
    "Left",
    "Listening",
    "News",
    "Ran",
    "Reloaded",
    "Replica",
    "Shown",
    "Skipped",
    "open_canvas",
]
