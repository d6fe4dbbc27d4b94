"""Stands in front of every server process, run as a script with nothing but the standard library.

Usage: launch.py PARENT_PID DEATH_SIGNAL USER COMMAND [ARGUMENT ...]

Becomes USER (`-` to stay who we are), asks Linux to send DEATH_SIGNAL when the parent dies, and becomes COMMAND.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def become(user: str) -> None:
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def die_with(parent: int, death_signal: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    # the parent may have died before prctl was in force
    if os.getppid() != parent:
        sys.exit("the process that asked for this server is gone")


def main(parent: str, death_signal: str, user: str, *command: str) -> None:
    if user != "-":
        become(user)
    # last, because a change of user clears the death signal
    die_with(int(parent), int(death_signal))
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(*sys.argv[1:])
