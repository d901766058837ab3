"""Processes that end when the tests end, whatever happens, and conditions that are waited for with a deadline.

Every server is started in a session of its own, so that its children can be found (orphans()) and killed together. A
reaper beside the test run holds a pipe from it: when the run dies, even by SIGKILL, the pipe closes and the reaper kills
every session that is still registered.
"""
import atexit
import os
import signal
import socket
import subprocess
import sys
import time

SANITIZED = bool(os.environ.get("TANKARD_SANITIZE"))
# Deadlines are for a quiet machine; a sanitizer, or a machine that compiles at the same time, gets more.
TIME_FACTOR = float(os.environ.get("TANKARD_TIME_FACTOR", "4" if SANITIZED else "1"))

_REAPER = r"""
import os, signal, sys
sessions = set()
for line in sys.stdin:
    verb, number = line.split()
    (sessions.add if verb == "add" else sessions.discard)(int(number))
for process in filter(str.isdigit, os.listdir("/proc")):
    try:
        stat = open("/proc/%s/stat" % process).read().rsplit(")", 1)[1].split()
        if int(stat[3]) in sessions:
            os.kill(int(process), signal.SIGKILL)
    except OSError:
        pass
"""
_reaper = None


def _tell_reaper(verb, pid):
    global _reaper
    if _reaper is None:
        _reaper = subprocess.Popen([sys.executable, "-c", _REAPER], stdin=subprocess.PIPE, start_new_session=True)
        atexit.register(_close_reaper)
    try:
        _reaper.stdin.write(f"{verb} {pid}\n".encode())
        _reaper.stdin.flush()
    except BrokenPipeError:
        pass


def _close_reaper():
    _reaper.stdin.close()
    _reaper.wait()


def start(argv, **popen):
    """Starts a server in its own session; stop it with end()."""
    process = subprocess.Popen(argv, start_new_session=True, stdin=subprocess.DEVNULL, **popen)
    _tell_reaper("add", process.pid)
    return process


def end(process, sig=signal.SIGTERM, timeout=10.0):
    """Ends a process of start() and everything in its session. Returns its exit code."""
    if process.poll() is None:
        process.send_signal(sig)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            pass
    kill_session(process.pid)
    code = process.wait()
    _tell_reaper("del", process.pid)
    return code


def session_members(session):
    """[(pid, ppid, name)] of the live processes of a session (zombies do not count)."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                text = stat.read()
        except OSError:
            continue
        name = text[text.index("(") + 1:text.rindex(")")]
        fields = text[text.rindex(")") + 1:].split()
        if int(fields[3]) == session and fields[0] not in ("Z", "X"):
            found.append((int(entry), int(fields[1]), name))
    return found


def kill_session(session):
    for pid, _, _ in session_members(session):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def wait_until(condition, what, timeout=10.0, interval=0.02):
    """Polls until condition() is true; returns its value. `what` says in the failure what was waited for."""
    deadline = time.monotonic() + timeout * TIME_FACTOR
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {timeout * TIME_FACTOR:.0f} s still not: {what() if callable(what) else what}")
        time.sleep(interval)


def free_port():
    """A loopback port nobody listens on now. Another process may take it first: who uses it must be ready to try again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def port_answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
