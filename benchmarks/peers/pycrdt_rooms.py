"""pycrdt-websocket's ASGI server under uvicorn, as its guide deploys it: `python pycrdt_rooms.py PORT`.

SEED names a folder with the document of W5.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import uvicorn
import uvloop
from pycrdt import Doc
from pycrdt.websocket import ASGIServer, WebsocketServer, YRoom

SEED = Path(os.environ["SEED"], "doc.yupdate").read_bytes() if "SEED" in os.environ else b""


class Rooms(WebsocketServer):
    """New rooms begin with the document, and never wait for a client to bring one."""

    async def get_room(self, name: str) -> YRoom:
        if name not in self.rooms:
            document = Doc()
            if SEED:
                document.apply_update(SEED)
            self.rooms[name] = YRoom(ready=True, ydoc=document, log=self.log)
        await self.start_room(self.rooms[name])
        return self.rooms[name]


async def main() -> None:
    async with Rooms() as rooms:
        config = uvicorn.Config(
            ASGIServer(rooms),
            host="127.0.0.1",
            port=int(sys.argv[1]),
            log_level="error",
            ws_per_message_deflate=False,
            lifespan="off",
        )
        await uvicorn.Server(config).serve()


uvloop.run(main())
