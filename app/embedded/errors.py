"""StartError: something on this machine keeps Easel from starting."""


class StartError(Exception):
    """An expected problem, said in one sentence that names the cure. The CLI prints it and ends with code 2."""
