"""`easel` without a garbage collector, which says at its end what of its sockets only a collector would have found."""

from __future__ import annotations

import gc
from collections import Counter

from app.cli import main

TYPES = {"Requests", "HttpRequestParser", "WebSocket", "Connection", "FastSocket", "Seat"}

if __name__ == "__main__":
    gc.disable()
    try:
        main()
    finally:
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found = Counter(type(thing).__name__ for thing in gc.garbage if type(thing).__name__ in TYPES)
        print("uncollected:", dict(found))
