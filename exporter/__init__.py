"""Out of PostgreSQL into a warehouse: every stored event is in the target exactly once."""
