"""Measures or empties one folder as the user who owns it: ``python -I -S tree_child.py UID size|empty DIR_FD``.

Standard library only. Whoever made what is in it may have closed folders, or put them into each other without end.
"""

import os
import sys

DEPTH_LIMIT, TOO_DEEP = 200, 1 << 62


def opened(name, above):
    """A folder that may be closed even to its owner, until the owner opens it."""
    try:
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
    except PermissionError:
        path = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
        os.chmod(f"/proc/self/fd/{path}", os.fstat(path).st_mode & 0o777 | 0o700)
        os.close(path)
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)


def opened_by_path(folder):
    """The folder we were given, which its owner may have closed like any other."""
    mode = os.fstat(folder).st_mode & 0o777
    if os.fstat(folder).st_uid == os.getuid() and mode & 0o700 != 0o700:
        os.chmod(f"/proc/self/fd/{folder}", mode | 0o700)
    return folder


def size(folder, depth=0):
    if depth > DEPTH_LIMIT:
        return TOO_DEEP
    total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                total += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    below = opened(entry.name, folder)
                    try:
                        total += size(below, depth + 1)
                    finally:
                        os.close(below)
            except OSError:  # it went meanwhile
                continue
    return total


def empty(folder):
    """What lies deeper is brought up first, so that no depth is too deep."""
    number = 0
    while True:
        with os.scandir(folder) as entries:
            names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        if not names:
            return
        for name, is_folder in names:
            if not is_folder:
                os.unlink(name, dir_fd=folder)
                continue
            below = opened(name, folder)
            os.fchmod(below, 0o700)
            with os.scandir(below) as entries:
                inner = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
            for deeper, is_deep in inner:
                if is_deep:
                    os.close(opened(deeper, below))
                    number += 1
                    os.chmod(deeper, 0o700, dir_fd=below)
                    os.rename(deeper, f".ph-{os.getpid()}-{number}", src_dir_fd=below, dst_dir_fd=folder)
                else:
                    os.unlink(deeper, dir_fd=below)
            os.close(below)
            os.rmdir(name, dir_fd=folder)


def main():
    if (
        sys.argv[1] != "-" and os.getuid() == 0
    ):  # after the interpreter is loaded: it may stand where that user can't read
        os.setgroups([])
        os.setgid(int(sys.argv[1]))
        os.setuid(int(sys.argv[1]))
    folder = os.open(f"/proc/self/fd/{opened_by_path(int(sys.argv[3]))}", os.O_RDONLY | os.O_DIRECTORY)
    if sys.argv[2] == "size":
        print(size(folder))
    else:
        empty(folder)


if __name__ == "__main__":
    main()
