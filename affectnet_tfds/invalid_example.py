"""Exception for an image or annotation that cannot be used."""


class InvalidExample(ValueError):
    """An image or annotation breaks a rule.

    `reason` is the kind of defect in a few words; the message is the rule and the value.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
