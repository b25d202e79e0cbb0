"""How a decision can end other than with a plan. Raised by plans and by the doors they read through."""


class PlanError(Exception):
    """The handler cannot decide: the run fails with this text, which a TD must understand. Not worth a retry."""


class Later(Exception):
    """Not now: the run waits and is planned again ("drive not mounted", "site not reachable").

    Attributes:
        seconds: How long to wait at least.
    """

    def __init__(self, reason: str, seconds: float = 30.0) -> None:
        super().__init__(reason)
        self.seconds = seconds
