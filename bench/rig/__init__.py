"""What scripts/bench is made of: suites that measure, and what is made of their figures."""


class Unavailable(Exception):
    """A suite cannot run here; says why."""


class Failed(Exception):
    """A suite ran and went wrong; says how."""
