"""The store in memory keeps the contract that PostgreSQL keeps: these are the same tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from canvas.errors import Unavailable
from canvas.graph import Record
from canvas.ids import new_id
from canvas.store.memory import MemoryLock, MemoryStore
from tests.contracts import test_append as appending
from tests.contracts import test_canvas_store as contract

pytestmark = pytest.mark.anyio


class UnsteadyMemory(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.fail_before_commit = 0

    @asynccontextmanager
    async def lock(self, workflow_id: str) -> AsyncIterator[MemoryLock]:
        async with super().lock(workflow_id) as lock:
            yield lock
            if self.fail_before_commit:
                self.fail_before_commit -= 1
                raise Unavailable("failed before the commit", code="DATABASE_FAILED")


class MemoryWorld:
    """What the contract asks of a world."""

    def __init__(self) -> None:
        self.store = UnsteadyMemory()
        self.workflows = self
        self.ada, self.bob = new_id("ada"), new_id("bob")
        self.id = new_id("wf")
        self.store.create(self.id, "epoch", name="Foxes")

    async def move_to_trash(self, workflow_id: str) -> None:
        self.store.workflows[workflow_id].is_in_trash = True

    async def log(self) -> list[int]:
        tail = await self.store.tail(self.id, 0)
        return [transaction.seq for transaction in tail.transactions] if tail is not None else []

    async def stored(self) -> list[Record]:
        document = await self.store.load(self.id)
        assert document is not None
        return document.graph.nodes_in_order()


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


test_what_is_stored_comes_back_the_same = contract.test_what_is_stored_comes_back_the_same
test_an_unknown_workflow_and_one_in_the_trash = contract.test_an_unknown_workflow_and_one_in_the_trash_are_not_there
test_two_processes_that_race_leave_no_gap = contract.test_two_processes_that_race_leave_no_gap
test_a_number_is_used_once = contract.test_a_number_is_used_once
test_a_transaction_that_fails_leaves_nothing = contract.test_a_transaction_that_fails_leaves_nothing
test_a_picture_that_slipped_through_is_refused = contract.test_the_database_refuses_a_picture_that_slipped_through
test_a_client_that_comes_back_is_told = contract.test_a_client_that_comes_back_is_told_what_it_missed
test_what_was_removed_can_be_brought_back = contract.test_what_was_removed_can_be_brought_back_by_another_process
test_name_and_viewport_are_kept = contract.test_name_and_viewport_are_kept
test_a_batch_is_appended_where_it_was_decided = appending.test_a_batch_is_appended_where_it_was_decided
test_what_is_appended_carries_the_time = appending.test_what_is_appended_carries_the_time_of_the_store
test_what_was_decided_elsewhere_is_not_appended = appending.test_what_was_decided_elsewhere_is_not_appended
test_an_append_waits_for_who_holds_the_lock = appending.test_an_append_waits_for_who_holds_the_lock_and_looks_again
test_an_append_that_is_refused_leaves_nothing = appending.test_an_append_that_the_database_refuses_leaves_nothing
