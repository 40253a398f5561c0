"""Why a picture, or what is said of it, cannot be used."""


class InvalidExample(ValueError):
    """A rule that is broken. `reason` is its kind, a few words; the message is the rule and the
    value."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
