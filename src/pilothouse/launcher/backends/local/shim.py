"""The parent of one local job: starts it, stamps and rotates its output, reports how it ended. Outlives the control plane.

Run as ``python -I -S shim.py JOBDIR FD``; standard library only. It holds a lock on ``JOBDIR/lock`` for as long as it
lives: that is how others know. ``FD`` delivers what must never touch the disk: with bubblewrap the NUL-separated
``--setenv`` arguments, passed on unread; without it a JSON object of the variables.
"""

import fcntl
import json
import os
import select
import signal
import sys
import time

FORMAT = 1
LINE_LIMIT = 64 * 1024
LINGER_S = 1.0
SECRET_FD = 9


class Log:
    """Lines as ``2026-01-31T10:00:00.123Z o text``. A file is named by the number of its first line, so numbers survive rotation."""

    def __init__(self, job, size, files):
        self.job, self.size, self.files = job, size, files
        self.number, self.partial, self.written, self.fd = 1, {"o": b"", "e": b""}, 0, -1
        self.rotate()

    def rotate(self):
        if self.fd >= 0:
            os.close(self.fd)
        name = f"{self.job}/log.{self.number:012d}"
        self.fd, self.written = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640), 0
        names = sorted(n for n in os.listdir(self.job) if n.startswith("log."))
        for old in names[: -self.files]:
            os.unlink(f"{self.job}/{old}")

    def feed(self, stream, data):
        lines = (self.partial[stream] + data).split(b"\n")
        self.partial[stream] = lines.pop()
        while len(self.partial[stream]) >= LINE_LIMIT:
            lines.append(self.partial[stream][:LINE_LIMIT])
            self.partial[stream] = self.partial[stream][LINE_LIMIT:]
        for line in lines:
            for start in range(0, max(len(line), 1), LINE_LIMIT):
                self.write(stream, line[start : start + LINE_LIMIT])

    def write(self, stream, line):
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
        record = f"{stamp} {stream} ".encode() + line.rstrip(b"\r").replace(b"\r", b" ") + b"\n"
        try:
            os.write(self.fd, record)
        except OSError:
            return  # a full disk must not end the job; the line is lost
        self.number, self.written = self.number + 1, self.written + len(record)
        if self.written >= self.size:
            self.rotate()

    def close(self):
        for stream, rest in self.partial.items():
            if rest:
                self.write(stream, rest)


class Shim:
    def __init__(self, job, secret_fd):
        self.job, self.secret_fd = job, secret_fd
        with open(f"{job}/spec.json") as file:
            self.spec = json.load(file)
        self.state = {"format": FORMAT, "state": "starting", "shim": os.getpid()}
        self.pid, self.init, self.status, self.stop_at, self.told, self.killed = 0, None, b"", None, True, False

    def save(self, **changes):
        self.state.update(changes)
        draft = f"{self.job}/.state.json"
        with open(draft, "w") as file:
            json.dump(self.state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, f"{self.job}/state.json")

    def run(self):
        self.save(started=time.time())
        self.wake_r, wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)
        for name in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(name, lambda *_: None)
        for name in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
            signal.signal(name, signal.SIG_IGN)
        if os.path.exists(f"{self.job}/cancelled"):
            self.save(state="ended", exit_code=143, reason="It was cancelled before it started.", ended=time.time())
            return
        try:
            self.make_groups()
            self.log = Log(self.job, self.spec["log_size"], self.spec["log_files"])
            self.fork()
        except OSError as error:
            self.save(state="ended", exit_code=126, reason=f"It could not be started: {error}.", ended=time.time())
            self.remove_groups()
            return
        try:
            self.save(state="running", pid=self.pid)
            code = self.watch()
        except BaseException:
            self.abandon()
            raise
        self.log.close()
        self.end(code)

    def make_groups(self):
        for group in self.spec["groups"]:
            os.makedirs(group["path"], exist_ok=True)
            for name, value in group["write"]:
                with open(f"{group['path']}/{name}", "w") as file:
                    file.write(value)

    def remove_groups(self):
        for group in self.spec["groups"]:
            for _ in range(20):
                try:
                    os.rmdir(group["path"])
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.05)

    def fork(self):
        self.out_r, out_w = os.pipe2(os.O_CLOEXEC)
        self.err_r, err_w = os.pipe2(os.O_CLOEXEC)
        self.info_r, info_w = os.pipe2(os.O_CLOEXEC)
        signal.pthread_sigmask(
            signal.SIG_BLOCK, {signal.SIGTERM}
        )  # one that comes before the child's exec must reach the command
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.become_job(out_w, err_w, info_w)
            except BaseException as error:  # the child must never return into the shim's code
                os.write(2, f"the job could not be started: {error}\n".encode())
            finally:
                os._exit(126)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        for fd in (out_w, err_w, info_w, self.secret_fd):
            os.close(fd)

    def become_job(self, out_w, err_w, info_w):
        spec = self.spec
        null = os.open("/dev/null", os.O_RDONLY)
        for source, target in ((null, 0), (out_w, 1), (err_w, 2)):
            os.dup2(source, target)
        for group in spec["groups"]:
            with open(f"{group['path']}/cgroup.procs", "w") as file:
                file.write("0")
        set_limits(spec["rlimits"])
        os.setsid()
        signal.set_wakeup_fd(-1)
        for name in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
            signal.signal(name, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        os.umask(0o022)
        if spec["bwrap"]:
            if spec.get("way", "user") == "user":
                drop(spec)
            info_w = fcntl.fcntl(info_w, fcntl.F_DUPFD, SECRET_FD + 1)
            os.dup2(self.secret_fd, SECRET_FD)  # one digit: the shell that reads it can close no other
            os.set_inheritable(SECRET_FD, True)  # dup2 leaves a file that has this number already as it is
            fds = {"{info}": str(info_w), "{secret}": str(SECRET_FD)}
            argv = [fds.get(word, word) for word in spec["bwrap"]]
            os.execve(argv[0], argv + spec["argv"], {"PATH": "/usr/bin:/bin"})
        with os.fdopen(self.secret_fd) as file:
            variables = json.load(file)
        drop(spec)
        die_with_parent()
        os.chdir(spec["cwd"])
        os.execvpe(spec["argv"][0], spec["argv"], variables)

    def watch(self):
        poll = select.poll()
        streams = {self.out_r: "o", self.err_r: "e"}
        for fd in (*streams, self.info_r, self.wake_r):
            poll.register(fd, select.POLLIN | select.POLLHUP)
        code, ended_at = None, 0.0
        while True:
            for fd, _ in poll.poll(self.timeout_ms(code, ended_at)):
                data = os.read(fd, 65536)
                if fd == self.wake_r:
                    if signal.SIGTERM in data:
                        self.ask_to_end()
                elif not data:
                    poll.unregister(fd)
                    streams.pop(fd, None)
                elif fd == self.info_r:
                    self.learn(data)
                else:
                    self.log.feed(streams[fd], data)
            if code is None:
                done, status = os.waitpid(self.pid, os.WNOHANG)
                if done:
                    code, ended_at = os.waitstatus_to_exitcode(status), time.monotonic()
            if code is None and self.stop_at is not None and not self.told:
                self.told = self.tell()
            if code is None and self.stop_at is not None and time.monotonic() >= self.stop_at:
                self.kill()
            if code is not None and (not streams or time.monotonic() >= ended_at + LINGER_S):
                return code

    def timeout_ms(self, code, ended_at):
        if code is not None:
            return max(1, int((ended_at + LINGER_S - time.monotonic()) * 1000))
        if self.stop_at is not None and not self.told:
            return 20
        if self.stop_at is not None:
            return max(10, int((self.stop_at - time.monotonic()) * 1000))
        return None

    def learn(self, data):
        self.status += data
        if self.init is None and b"\n" in self.status:
            self.init = json.loads(self.status.split(b"\n")[0])["child-pid"]
            self.save(init=self.init)

    def ask_to_end(self):
        if self.stop_at is None:
            self.stop_at = time.monotonic() + self.spec["grace"]
            self.save(state="stopping")
        self.told = self.tell()

    def tell(self):
        """Send SIGTERM to the command. Pid 1 of a namespace ignores it: its child is meant, which may not be there yet."""
        if not self.spec["bwrap"]:
            signal_quietly(self.pid, signal.SIGTERM)
            return True
        children = read(f"/proc/{self.init}/task/{self.init}/children").split() if self.init else []
        for child in children[:1]:
            signal_quietly(int(child), signal.SIGTERM)
        return bool(children)

    def abandon(self):
        """Our own fault (the job's folder is gone, say): nothing may stay behind. The sandbox tells its first process soon after its start."""
        if self.spec["bwrap"] and self.init is None and select.select([self.info_r], [], [], 1)[0]:
            self.status += os.read(self.info_r, 65536)
            if b"\n" in self.status:
                self.init = json.loads(self.status.split(b"\n")[0])["child-pid"]
        self.kill()

    def kill(self):
        self.killed = True
        self.stop_at = time.monotonic() + 1
        for pid in (self.init, self.pid):
            if pid:
                signal_quietly(pid, signal.SIGKILL)

    def end(self, code):
        killed_for_memory = any(count_oom(g["path"]) for g in self.spec["groups"])
        peaks = [int(p) for g in self.spec["groups"] for p in (peak(g["path"]),) if p]
        if not self.spec["bwrap"]:
            kill_descendants()
        code = 128 - code if code < 0 else code
        self.remove_groups()
        out_of_memory = killed_for_memory and code == 137
        self.save(
            state="ended", exit_code=code, out_of_memory=out_of_memory, memory_warning=killed_for_memory and not out_of_memory,
            memory_peak=max(peaks, default=None), reason=self.reason(code, out_of_memory), ended=time.time(),
        )  # fmt: skip

    def reason(self, code, out_of_memory):
        if out_of_memory:
            return "It needed more memory than its limit and was stopped."
        if self.killed:
            return "It did not end within its grace time and was killed."
        if self.stop_at is not None:
            return "It was stopped."
        return f"It ended with exit code {code}."


def drop(spec):
    if spec["uid"] is not None:
        os.setgroups([])
        os.setgid(spec["gid"])
        os.setuid(spec["uid"])


def set_limits(limits):
    import resource

    for name, value in limits.items():
        _, hard = resource.getrlimit(getattr(resource, name))
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(getattr(resource, name), (value, value))


def prctl(option, value):
    try:
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass


def die_with_parent():
    prctl(1, signal.SIGKILL)


def become_subreaper():
    prctl(36, 1)


def kill_descendants():
    """Without a pid namespace a child that made a session of its own survives its parent; as subreaper we inherit it."""
    for _ in range(50):
        children = [
            int(p) for t in os.listdir("/proc/self/task") for p in read(f"/proc/self/task/{t}/children").split()
        ]
        if not children:
            return
        for pid in children:
            signal_quietly(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, 0)[0]:
                pass
        except ChildProcessError:
            pass


def signal_quietly(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def count_oom(group):
    """How many processes the kernel killed for memory in this group (v2 ``memory.events``, v1 ``memory.oom_control``)."""
    text = read(f"{group}/memory.events") or read(f"{group}/memory.oom_control")
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill "))


def peak(group):
    return read(f"{group}/memory.peak").strip() or read(f"{group}/memory.max_usage_in_bytes").strip()


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def main():
    job, secret_fd = sys.argv[1], int(sys.argv[2])
    os.set_inheritable(secret_fd, False)
    lock = os.open(f"{job}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return  # somebody else's shim runs this job
    if os.path.exists(f"{job}/state.json"):
        return  # it ran already
    shim = Shim(job, secret_fd)
    if not shim.spec["bwrap"]:
        become_subreaper()
    shim.run()


if __name__ == "__main__":
    main()
