"""Out of PostgreSQL into a warehouse: every stored event is in the target exactly once.

`export_attempt_events_to_warehouse` and `get_export_status` are what Python programs call, from exporter.app.
"""

from attemptlog.runtime.extras import require

require("export", __name__)
