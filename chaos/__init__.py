"""Kills, freezes and cuts every part of the pipeline under load, and accounts for every event afterwards."""
