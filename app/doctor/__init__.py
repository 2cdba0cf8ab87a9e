"""`easel doctor`: each mistake that a configuration can hold, named with its cure. Rules: DR1 … in SPEC.md."""
