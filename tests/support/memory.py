"""Servers' data in memory, where there is room: each of a thousand databases is hundreds of files on a disk."""

import os
from pathlib import Path

import psutil

IN_MEMORY = Path("/dev/shm")  # noqa: S108 - only for folders that TemporaryDirectory makes
ROOM = 6 * 2**30  # bytes


def folder_in_memory() -> Path | None:
    """Return where to make folders that are kept in memory; None where that cannot be, or TMPDIR says where to."""
    if "TMPDIR" in os.environ or not IN_MEMORY.is_dir():
        return None
    system = os.statvfs(IN_MEMORY)
    is_free = min(system.f_bavail * system.f_frsize, psutil.virtual_memory().available) >= ROOM
    return IN_MEMORY if is_free and not system.f_flag & os.ST_NOEXEC else None
