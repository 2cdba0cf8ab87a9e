"""What the person who runs the benchmarks can put right."""


class BenchmarkError(Exception):
    """Its text is one sentence that says what to do."""
