"""Easel beside its peers under the same load: `make bench`. What the numbers mean is in docs/benchmarks.md."""
