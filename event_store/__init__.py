"""All that is said to PostgreSQL about events: stored, accounted for, read again. Prints nothing."""
