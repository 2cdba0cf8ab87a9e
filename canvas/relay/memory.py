"""A relay inside one process, for tests: delivers at once, in order."""

from __future__ import annotations

from collections.abc import Callable

from canvas.relay.port import Hint, Listener


class MemoryRelay:
    def __init__(self) -> None:
        self._listeners: dict[str, list[Listener]] = {}

    def publish(self, workflow_id: str, hint: Hint) -> None:
        for listener in tuple(self._listeners.get(workflow_id, ())):
            listener(hint)

    async def subscribe(self, workflow_id: str, listener: Listener) -> Callable[[], None]:
        listeners = self._listeners.setdefault(workflow_id, [])
        listeners.append(listener)
        return lambda: listeners.remove(listener)
