"""A class of candidates that sits an exam through the real gateway, and the account of what became of its events."""

from attemptlog.runtime.extras import require

require("cli", __name__)
