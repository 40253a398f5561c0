"""The one exception that a user is meant to read.

Its message is a sentence with the rule, the value, where it came from and the way out; programs print it and exit with
`exit_code`. Anything else that is raised is a defect of ours and keeps its traceback.
"""


class Refusal(ValueError):
    """The input, the flags or the state of the disk do not allow what was asked for."""

    exit_code = 2
