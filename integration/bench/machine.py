"""What the numbers were made on, and with. No name of a machine, no path of it."""
import os
import platform
import subprocess
import time


def _said(*argv, cwd=None):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=cwd)
    except OSError:
        return ""
    return (done.stdout + done.stderr).strip()


def _field(file, name):
    with open(file, encoding="utf-8") as lines:
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "?")


def described(source):
    """{what: text}, in the order of the report. `source`: the folder of the project."""
    commit = _said("git", "-c", "safe.directory=*", "describe", "--always", "--abbrev=12", "--exclude=*", cwd=source)
    changed = _said("git", "-c", "safe.directory=*", "status", "--porcelain", "--untracked-files=no", cwd=source)
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "tankard": f"commit {commit or '?'}{' with changes' if changed else ''}, release build",
        "CPU": f"{_field('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores",
        "memory": f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) / 1048576:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "versions": ", ".join((_said("git", "--version"), _said("nginx", "-v").replace("nginx version: ", ""), (_said("wrk", "-v").splitlines() or ["no wrk"])[0].split(" [")[0],
                               f"Python {platform.python_version()}")),
        "load average at the beginning": " ".join(f"{n:.2f}" for n in os.getloadavg()),
    }
