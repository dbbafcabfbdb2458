"""The layout of a spool's file, which its living source writes and whoever adopts it reads.

File layout, integers little-endian::

    0     magic `FLOWSPL1`            40    highest n used up by a loss not yet reported
    8     bytes of the ring           48    source (26 ASCII bytes)
    16    requests received           80    boot id of the machine (36 ASCII bytes)
    24    requests finished           4096  the ring
    32    offset of the oldest record

A record is: length (u32) and CRC-32 (u32) of what follows; n (u64), requests finished at that
moment (u64), length of the core (u32), length of the personal part (u32); core; personal;
padding to 8 bytes. Length and CRC are written last, so a torn record is none. A length of
0xFFFFFFFF says: go on at offset 0. Everything outside the records is zero.
"""

import struct
from pathlib import Path
from typing import Final

__all__ = [
    "AT_BOOT",
    "AT_FINISHED",
    "AT_LOST",
    "AT_RECEIVED",
    "AT_SOURCE",
    "AT_TAIL",
    "HEADER_BYTES",
    "MAGIC",
    "META",
    "PREFIX",
    "U64",
    "WHOLE",
    "WRAP",
    "boot_id",
]

MAGIC: Final = b"FLOWSPL1"
HEADER_BYTES: Final = 4_096
WRAP: Final = 0xFFFFFFFF
PREFIX: Final = struct.Struct("<II")
META: Final = struct.Struct("<QQII")
WHOLE: Final = struct.Struct("<IIQQII")
U64: Final = struct.Struct("<Q")
AT_RECEIVED: Final = 16
AT_FINISHED: Final = 24
AT_TAIL: Final = 32
AT_LOST: Final = 40
AT_SOURCE: Final = 48
AT_BOOT: Final = 80


def boot_id() -> str:
    """An id that changes with each boot of the machine; empty where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()[:36]
    except OSError:
        return ""
