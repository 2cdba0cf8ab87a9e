"""Copies of everything that an Easel keeps, and the way back: the database as `pg_dump` writes it, and the pictures
that it names. Rules: BK1 and following in SPEC.md.
"""
