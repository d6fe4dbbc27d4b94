"""The `attemptlog` command: one file per subcommand."""
