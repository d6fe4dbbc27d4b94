"""A class of candidates that sits an exam through the real gateway, and the account of what became of its events."""
