"""Test-session telemetry you can account for: the packages beside this folder, under one name."""
