"""Memory that several processes see, without a name: an open file is all there is of it, so that
nothing can be left behind, whoever is killed and when."""

import fcntl
import mmap
import os


def create(label: str, size: int) -> int:
    """An open file of so many bytes, all zero, which take no memory before they are written to.

    Sealed: nobody it is handed to can shrink it under the others, whose next access would end
    them. `label` is what /proc shows.
    """
    descriptor = os.memfd_create(f"stride-{label}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, size)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def attach(descriptor: int) -> mmap.mmap:
    """All of it, to read and write; closes the descriptor. The memory stays until the last process
    that has it attached, or the last array that lies in it, is gone."""
    try:
        return mmap.mmap(descriptor, 0)
    finally:
        os.close(descriptor)
