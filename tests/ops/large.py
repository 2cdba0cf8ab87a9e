"""An installation of any size, written by SQL: an owner's workflows with their nodes, runs and run events."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

import asyncpg


class Size(NamedTuple):
    workflows: int
    nodes: int
    """Of each workflow."""
    runs: int
    """Of all."""
    events: int
    """Of each run."""


async def fill(database_url: str, owner_id: str, size: Size, *, age: timedelta = timedelta()) -> None:
    """`age`: how long ago the newest run ended. Each statement is committed and counted, as years of use would be."""
    connection = await asyncpg.connect(database_url, command_timeout=600)
    try:
        for statement, values in (
            (_WORKFLOWS, (size.workflows, size.runs * size.events // size.workflows)),
            (_MEMBERS, (size.workflows, owner_id)),
            (_NODES, (size.workflows, size.nodes)),
            (_EDGES, (size.workflows, size.nodes)),
            (_RUNS, (size.runs, size.workflows, size.nodes, owner_id, size.events, age)),
            (_EVENTS, (size.runs, size.workflows, size.events, age)),
        ):
            await connection.execute(statement, *values)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


_WORKFLOWS = """
    INSERT INTO workflows (id, name, epoch, seq, event_seq, created_at, updated_at)
    SELECT 'wf_' || g, 'Workflow ' || g, 'e', 1, $2, now() - g * interval '1 h', now() - g * interval '1 min'
    FROM generate_series(1, $1::int) g"""
_MEMBERS = """
    INSERT INTO members (workflow_id, account_id, role, may_run)
    SELECT 'wf_' || g, $2, 'owner', true FROM generate_series(1, $1::int) g"""
_NODES = """
    INSERT INTO workflow_nodes (workflow_id, id, ord, node_type, node_data, position, fields)
    SELECT 'wf_' || w, 'n' || n, n, 'image_generation',
      json_build_object('prompt', 'A fox in the snow, number ' || n, 'status', 'completed', 'jobId', 'run_' || n),
      json_build_object('x', n * 10, 'y', w), '{}'
    FROM generate_series(1, $1::int) w, generate_series(1, $2::int) n"""
_EDGES = """
    INSERT INTO workflow_edges (workflow_id, id, source, target, ord, record)
    SELECT 'wf_' || w, 'e' || n, 'n' || n, 'n' || n + 1, n,
      json_build_object('id', 'e' || n, 'source', 'n' || n, 'target', 'n' || n + 1, 'animated', true)
    FROM generate_series(1, $1::int) w, generate_series(1, $2::int - 1) n"""
# Run g is the g-th newest, and its workflow's turn comes round: everybody's runs are everywhere.
_RUNS = """
    INSERT INTO runs (id, subject_id, node_id, account_id, status, processor, provider, model, request, payload,
      error, event_seq, attempt, started_at, finished_at, is_dead)
    SELECT 'run_' || g, 'wf_' || g % $2::int + 1, 'n' || g % $3::int + 1, $4,
      CASE WHEN g % 20 = 0 THEN 'failed' ELSE 'completed' END, 'local', 'local', 'studio-1',
      json_build_object('nodeId', 'n' || g % $3::int + 1, 'workflowId', 'wf_' || g % $2::int + 1, 'provider', 'local',
        'promptSpec', json_build_object('basePrompt', 'A fox in the snow, number ' || g)),
      json_build_object('salt', md5(g::text)),
      CASE WHEN g % 20 = 0 THEN
        '{"code": "PROVIDER_UNAVAILABLE", "detail": "It is away.", "retryable": true, "charged": "no"}'::json END,
      $5::int, 1, now() - $6::interval - g * interval '1 min', now() - $6::interval - g * interval '1 min',
      g % 1000 = 0
    FROM generate_series(1, $1::int) g"""
_EVENTS = """
    INSERT INTO run_events (run_id, seq, workflow_id, workflow_seq, ts, kind, payload)
    SELECT 'run_' || g, e, 'wf_' || g % $2::int + 1, ($1::int - g) / $2::int * $3::int + e,
      now() - $4::interval - g * interval '1 min', CASE WHEN e IN (1, $3::int) THEN 'status' ELSE 'progress' END,
      json_build_object('message', 'Step ' || e, 'progress', e * 10)
    FROM generate_series(1, $1::int) g, generate_series(1, $3::int) e"""
