"""Why a token is not taken, named by what who sent it should do."""


class TokenRefused(Exception):
    """Log in again; the message says what is wrong with the token and quotes nothing of it."""


class KeysUnavailable(Exception):
    """Send the same again in `retry_after` seconds: the key that the token names cannot be had now."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
