"""All that is said to PostgreSQL about events: stored, accounted for, read again. Prints nothing."""

from attemptlog.runtime.extras import require

require("cli", __name__, "psycopg")
