"""Opens one hostile archive: ``python -I -S unpack_child.py UID ARCHIVE_FD DIR_FD LIMITS``. Standard library only.

Never ``extractall``: members are walked in stream order, only regular files and folders are made, each by ``openat`` with
``O_EXCL|O_NOFOLLOW`` below a fresh folder, and real bytes are counted while they are written. Prints one JSON line.
"""

import gzip
import json
import os
import resource
import sys
import tarfile
import unicodedata
import zlib

CHUNK = 64 * 1024
HEADER_LIMIT = 64 * 1024
DEPTH_LIMIT, NAME_LIMIT, PATH_LIMIT = 32, 255, 1024
RATIO_FLOOR, RATIO_LIMIT = 10 * 1024 * 1024, 200
KNOWN = {b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}


class Refused(Exception):
    pass


def refuse(kind, why, name=""):
    raise Refused(kind, why, name)


def parts_of(name):
    """The parts of a member's path; an empty list is the archive's own root."""
    try:
        name.encode()
    except UnicodeEncodeError:
        refuse("hostile", "its name is not UTF-8", name)
    if any(ord(c) < 32 or ord(c) == 127 for c in name) or "\\" in name:
        refuse("hostile", "its name holds a control character or a backslash", name)
    if name.startswith("/") or (len(name) > 1 and name[1] == ":"):
        refuse("hostile", "its path is absolute", name)
    parts = [p for p in name.split("/") if p not in ("", ".")]
    if ".." in parts:
        refuse("hostile", "its path leads outside", name)
    if len(parts) > DEPTH_LIMIT or len(name.encode()) > PATH_LIMIT or any(len(p.encode()) > NAME_LIMIT for p in parts):
        refuse("hostile", "its path is too long or too deep", name)
    return parts


class Unpacker:
    def __init__(self, folder, limits, packed_size):
        self.folder, self.limits, self.packed = folder, limits, packed_size
        self.seen, self.count, self.total = {}, 0, 0

    def claim(self, parts, is_dir, name):
        """No two members may meet under one name, also where case or Unicode form differ."""
        for i in range(1, len(parts) + 1):
            exact, folder = "/".join(parts[:i]), is_dir or i < len(parts)
            old = self.seen.setdefault(unicodedata.normalize("NFKC", exact.casefold()), (exact, folder, self.count))
            if old[0] != exact or (not (old[1] and folder) and old[2] != self.count):
                refuse("hostile", "its name is used twice", name)

    def walk(self, parts):
        """A descriptor of the folder that holds the last part; folders on the way are made."""
        fd = os.dup(self.folder)
        for part in parts[:-1]:
            try:
                os.mkdir(part, 0o755, dir_fd=fd)
            except FileExistsError:
                pass
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = below
        return fd

    def member(self, archive, m):
        self.count += 1
        if self.count > self.limits["files"]:
            refuse("large", f"it holds more than {self.limits['files']} files")
        if sum(len(k) + len(str(v)) for k, v in m.pax_headers.items()) > HEADER_LIMIT:
            refuse("hostile", "its extension header is too large", m.name)
        if m.issparse() or any(k.startswith("GNU.sparse") for k in m.pax_headers):
            refuse("hostile", "it is a sparse file", m.name)
        if not (m.isreg() or m.isdir()) or m.type == tarfile.CONTTYPE:
            refuse("hostile", "it is not a regular file or folder (links and devices are refused)", m.name)
        parts = parts_of(m.name)
        if not parts:
            if m.isdir():
                return
            refuse("hostile", "it has no name", m.name)
        self.claim(parts, m.isdir(), m.name)
        fd = self.walk(parts)
        try:
            if m.isdir():
                try:
                    os.mkdir(parts[-1], 0o755, dir_fd=fd)
                except FileExistsError:
                    pass
            else:
                self.copy(archive.extractfile(m), m, parts[-1], fd)
        finally:
            os.close(fd)

    def copy(self, source, m, name, fd):
        mode = 0o755 if m.mode & 0o100 else 0o644
        target = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=fd)
        written = 0
        with os.fdopen(target, "wb", buffering=0) as file:
            while data := source.read(CHUNK):
                written += len(data)
                self.total += len(data)
                if self.total > self.limits["bytes"]:
                    refuse("large", f"its files are larger than {self.limits['bytes'] // 1024**2} MB together")
                if self.total > RATIO_FLOOR and self.total > RATIO_LIMIT * self.packed:
                    refuse("large", f"it unpacks to more than {RATIO_LIMIT} times its size")
                file.write(data)
        if written != m.size:
            refuse("broken", "it is cut off", m.name)


def unpack(archive_fd, folder_fd, limits):
    packed = os.fstat(archive_fd).st_size
    with os.fdopen(archive_fd, "rb") as file:
        magic = file.read(6)
        file.seek(0)
        for start, name in KNOWN.items():
            if magic.startswith(start):
                refuse("format", f"it is {name}, not gzip")
        if not magic.startswith(b"\x1f\x8b"):
            refuse("format", "it is not gzip")
        unpacker = Unpacker(folder_fd, limits, packed)
        packed_stream = gzip.GzipFile(fileobj=file)
        with tarfile.open(fileobj=packed_stream, mode="r|", errorlevel=2) as archive:
            for m in archive:
                unpacker.member(archive, m)
                archive.members = []
        rest = 0
        while data := packed_stream.read(CHUNK):  # to the end: only there is the checksum of the whole
            rest += len(data)
            if rest > RATIO_FLOOR:
                refuse("large", "too much follows after its end")
    return {"files": unpacker.count, "bytes": unpacker.total}


def main():
    if (
        sys.argv[1] != "-" and os.getuid() == 0
    ):  # after the interpreter is loaded: it may stand where that user can't read
        os.setgroups([])
        os.setgid(int(sys.argv[1]))
        os.setuid(int(sys.argv[1]))
    for name, value in (("RLIMIT_AS", 512 * 1024**2), ("RLIMIT_CPU", 300), ("RLIMIT_NOFILE", 64), ("RLIMIT_CORE", 0)):
        resource.setrlimit(getattr(resource, name), (value, value))
    os.umask(0o022)
    try:
        answer = unpack(int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4]))
    except Refused as error:
        answer = dict(zip(("kind", "why", "name"), error.args, strict=True))
    except MemoryError:
        answer = {"kind": "hostile", "why": "a header in it is too large", "name": ""}
    except OSError as error:
        full = error.errno in (28, 122)
        answer = {"kind": "full" if full else "broken", "why": str(error), "name": ""}
    except (tarfile.TarError, EOFError, zlib.error, ValueError, OverflowError) as error:
        answer = {"kind": "broken", "why": str(error) or type(error).__name__, "name": ""}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
