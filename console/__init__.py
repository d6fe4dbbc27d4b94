"""What the events say, for those who may see it: a read API, and the pages that show it."""

from attemptlog.runtime.extras import require

require("console", __name__)
