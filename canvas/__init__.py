"""The shared document: what a workflow is, how it changes, and how everyone who looks at it stays in step.

Root modules are pure: no I/O library. `store/` and `relay/` are the doors to PostgreSQL and Redis.
"""
