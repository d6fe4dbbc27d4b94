"""How storing, reading and the disk change with the rows there are: `python -m benchmarks.growth`, for a quiet hour."""
