"""The door to an Easel elsewhere: a small client over the `websockets` library, for scripts, agents and tests."""

from canvas.client.connection import Canvas, open_canvas
from canvas.client.replica import Replica

__all__ = ["Canvas", "Replica", "open_canvas"]
