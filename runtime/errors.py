"""What an operator can mend."""


class OperatorError(Exception):
    """A command cannot go on; the message is one sentence that says why and what to do."""
