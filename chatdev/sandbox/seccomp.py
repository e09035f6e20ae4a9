"""A system call filter of our own: bubblewrap brings none, and older Docker engines allow sockets to the host's vsock,
which no network namespace shuts out.

The filter is a classic BPF program. It names what is forbidden (what Docker's default forbids to a program without
rights) and which kinds of sockets there are; everything else is allowed, so ordinary programs notice nothing. Where the
processor is not one of the two known here there is no filter.
"""

from __future__ import annotations

import platform
import struct
from typing import NamedTuple

ALLOW, REFUSE, UNKNOWN, NO_FAMILY = 0x7FFF0000, 0x00050001, 0x00050026, 0x00050061
"""What the kernel does with a call: allow it, fail with EPERM, with ENOSYS (so that libc takes the older call), or with
EAFNOSUPPORT.
"""
FAMILIES = (1, 2, 10, 16)
"""Sockets that there are: local, IPv4, IPv6, netlink. All of them belong to the box's own network namespace."""
NAMESPACES = 0x7E020000
"""All CLONE_NEW* flags."""
_LOAD, _IS, _AT_LEAST, _HAS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06


class Machine(NamedTuple):
    """Numbers of one processor family."""

    audit: int
    clone: int
    memfd_create: int
    sockets: tuple[int, ...]
    """socket and socketpair."""
    forbidden: tuple[int, ...]


_NEW = (425, 426, 427, 428, 429, 430, 431, 432, 433, 442, 443)
"""io_uring, and the mount calls of newer kernels: the same numbers everywhere."""
_CLONE3 = 435
MACHINES = {
    # mount umount2 pivot_root chroot unshare setns | modules kexec reboot swap acct quotactl | clocks names syslog |
    # keys bpf perf_event_open userfaultfd fanotify open_by_handle_at kcmp mbind lookup_dcookie vhangup | iopl ioperm
    # and calls that nothing has used for twenty years
    "x86_64": Machine(
        0xC000003E, 56, 319, (41, 53),
        (165, 166, 155, 161, 272, 308, 175, 313, 176, 246, 320, 169, 167, 168, 163, 179, 159, 164, 227, 305, 170, 171,
         103, 248, 249, 250, 321, 298, 323, 300, 304, 312, 237, 212, 153, 172, 173, 134, 136, 139, 156, *_NEW),
    ),
    "aarch64": Machine(
        0xC00000B7, 220, 279, (198, 199),
        (40, 39, 41, 51, 97, 268, 105, 273, 106, 104, 294, 142, 224, 225, 89, 60, 171, 170, 112, 266, 161, 162, 116,
         217, 218, 219, 280, 241, 282, 262, 265, 272, 235, 18, 58, *_NEW),
    ),
}  # fmt: skip


def program(*, memory_files: bool = True, machine: str | None = None) -> bytes:
    """The filter for this machine, b"" where none is known. `memory_files`: allow files without a name (memfd_create),
    whose memory nothing but a control group counts.
    """
    known = MACHINES.get((machine or platform.machine()).replace("AMD64", "x86_64"))
    if known is None:
        return b""
    lines = [(_LOAD, 0, 0, 4), (_IS, 1, 0, known.audit), (_RETURN, 0, 0, UNKNOWN), (_LOAD, 0, 0, 0)]
    if known.audit == MACHINES["x86_64"].audit:
        lines += [(_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, UNKNOWN)]  # the calls of x32 have numbers of their own
    for number in (*known.forbidden, *(() if memory_files else (known.memfd_create,))):
        lines += [(_IS, 0, 1, number), (_RETURN, 0, 0, REFUSE)]
    for number in known.sockets:
        lines += [(_IS, 0, len(FAMILIES) + 2, number), (_LOAD, 0, 0, 16)]
        lines += [(_IS, len(FAMILIES) - place, 0, family) for place, family in enumerate(FAMILIES)]
        lines += [(_RETURN, 0, 0, NO_FAMILY), (_LOAD, 0, 0, 0)]
    lines += [(_IS, 0, 1, _CLONE3), (_RETURN, 0, 0, UNKNOWN)]  # its flags lie in memory, where no filter can look
    lines += [(_IS, 0, 3, known.clone), (_LOAD, 0, 0, 16), (_HAS, 0, 1, NAMESPACES), (_RETURN, 0, 0, REFUSE)]
    lines += [(_RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("<HBBI", *line) for line in lines)
