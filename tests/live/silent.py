"""A file system of FUSE that falls silent: `python silent.py FOLDER PROGRAM` mounts it.

Every name in it leads to that program, until somebody looks for the name `silence`: neither that
nor anything later is answered.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
import time
from pathlib import Path

# linux/fuse.h
LOOKUP, FORGET, GETATTR, OPEN, READ, RELEASE, INIT = 1, 2, 3, 14, 15, 18, 26
INTERRUPT, BATCH_FORGET = 36, 42
REQUEST = struct.Struct("=IIQQIIII")
ANSWER = struct.Struct("=IiQ")
PIECE = struct.Struct("=QQI")
LIMITS = struct.Struct("=IIIIHHIIHHI7I")

BUFFER = 1 << 17
ROOT, OTHER = 1, 2


def attributes(node: int, program: bytes) -> bytes:
    """The root is a folder, what is in it the program."""
    mode = 0o40755 if node == ROOT else 0o100755
    return struct.pack("=6Q10I", node, len(program), *[0] * 7, mode, 1, *[0] * 5)


def answer(kind: int, node: int, body: bytes, program: bytes) -> bytes | None:
    """What is said to a request. None to one that is not known."""
    if kind == INIT:
        return LIMITS.pack(7, 31, BUFFER, 0, 0, 0, BUFFER, *[0] * 11)
    if kind == LOOKUP:
        # Whoever looks again has to ask again: it is valid for no time.
        return struct.pack("=4Q2I", OTHER, *[0] * 5) + attributes(OTHER, program)
    if kind == GETATTR:
        return bytes(16) + attributes(node, program)
    if kind == READ:
        _, begin, size = PIECE.unpack_from(body)
        return program[begin : begin + size]
    return {OPEN: bytes(16), RELEASE: b""}.get(kind)


def serve(device: int, program: bytes) -> None:
    """Answers until it falls silent."""
    while True:
        request = os.read(device, 2 * BUFFER)
        _, kind, number, node, *_ = REQUEST.unpack_from(request)
        body = request[REQUEST.size :]
        if kind == LOOKUP and body == b"silence\0":
            return
        if kind not in (FORGET, BATCH_FORGET, INTERRUPT):
            content = answer(kind, node, body, program)
            failure = -errno.ENOSYS if content is None else 0
            content = content or b""
            os.write(device, ANSWER.pack(ANSWER.size + len(content), failure, number) + content)


def main(folder: str, program: str) -> None:
    """Mounts it and says so."""
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"silent", os.fsencode(folder), b"fuse", 0, options.encode()):
        sys.exit(os.strerror(ctypes.get_errno()))
    print("mounted", flush=True)
    serve(device, Path(program).read_bytes())
    # Its end would end the waiting of all who ask.
    time.sleep(3600)


if __name__ == "__main__":
    main(*sys.argv[1:])
