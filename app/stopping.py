"""Tells what never ends by itself (streams, sockets) that the process is about to."""

import asyncio


class Stopping:
    def __init__(self) -> None:
        self.event = asyncio.Event()
        """Streams and sockets end now."""
        self.is_leaving = False
        """Nobody new should come: readiness is gone, everything else goes on as before."""
