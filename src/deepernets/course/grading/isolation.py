"""Commands that cut a process off from the system: what each tool is called with, and which of them work here.

A sandbox sees the system's libraries, Python and the course's package, all read-only, and an empty temporary
folder. It sees no home, no other submissions, no solutions, no other processes, no network, and none of the
environment.
"""

import atexit
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path
from tempfile import mkdtemp
from typing import Literal

import deepernets
from deepernets.errors import UserError
from deepernets.training.records import results_folder

Sandbox = Literal["auto", "bubblewrap", "unshare", "podman", "none"]
IMAGE = "docker.io/library/debian:stable-slim"  # podman: Python itself is mounted from the system
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SETTINGS = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "alternatives", "fonts", "mime.types")
DEVICES = ("null", "zero", "full", "random", "urandom")
FIRST_USER, USERS = 61_184, 4_335  # numbers that systemd gives to users that exist for one process only
WORKER = (sys.executable, "-P", "-m", "deepernets.course.grading.worker")


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes:
        seconds: Processor time for all of it.
        cell_seconds: Processor time for each cell.
        answer_seconds: Processor time for judging one answer.
        slowdown: How many times as long it may take by the clock, on a busy machine.
        memory: Bytes, of all its processes together.
        output: Bytes of each file it writes, and a quarter of what its temporary folder holds.
        processes: Processes and threads at a time.
    """

    seconds: float = 60.0
    cell_seconds: float = 15.0
    answer_seconds: float = 20.0
    slowdown: float = 5.0
    memory: int = 4 * 2**30
    output: int = 64 * 2**20
    processes: int = 64


def visible() -> list[Path]:
    """Return the folders that a sandbox can read besides the system's: Python, the package, recorded runs, data."""
    package = Path(deepernets.__file__).parent
    data = Path(os.environ.get("DEEPERNETS_DATA", ""))
    wanted = [
        *(Path(prefix) for prefix in (sys.base_prefix, sys.prefix)),
        *(Path(entry) for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))),
        *(package, results_folder(), *([data.absolute()] if data.parts else [])),
    ]
    found: list[Path] = []
    for path in sorted({path.absolute() for path in wanted if path.is_dir()}):
        if not any(path.is_relative_to(known) for known in (Path("/usr"), *found)):
            found.append(path)
    return found


def environment() -> dict[str, str]:
    """Return the environment variables of a sandbox; none of them is the instructor's."""
    source = Path(deepernets.__file__).parents[1]
    packages = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    given = {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": os.pathsep.join([str(source), *packages]),
        "LANG": "C.UTF-8", "HOME": "/tmp", "TMPDIR": "/tmp", "USER": "student", "PYTHONDONTWRITEBYTECODE": "1",
        "DEEPERNETS_PROFILE": "quick", "OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "MPLBACKEND": "Agg",
    }  # fmt: skip
    return given | {name: os.environ[name] for name in ("DEEPERNETS_DATA",) if name in os.environ}


def bubblewrap(limits: Limits) -> list[str]:
    """Return the command line of bubblewrap.

    In a user namespace the system's own root could still write to what is root's in /proc. It does without one, and
    becomes another user.
    """
    as_root = os.geteuid() == 0
    command = ["bwrap", *("--unshare-" + kind for kind in ("ipc", "pid", "net", "uts", "cgroup-try"))]
    command += ["--die-with-parent", "--new-session", "--clearenv", "--as-pid-1"]
    if not as_root:
        command += ["--unshare-user", "--uid", str(FIRST_USER), "--gid", str(FIRST_USER)]
    for path in _system():
        kind = ("--symlink", os.readlink(path)) if os.path.islink(path) else ("--ro-bind", path)
        command += [*kind, path]
    shown = [*map(Path, _settings()), *visible()]
    for parent in sorted({parent for path in shown for parent in path.parents}):
        command += ["--dir", str(parent)]  # else none but root may enter it
    for there in map(str, shown):
        command += ["--ro-bind", there, there]
    command += ["--proc", "/proc", "--dev", "/dev"]
    for folder in ("/dev/shm", "/tmp"):
        command += ["--perms", "1777", "--size", str(4 * limits.output), "--tmpfs", folder]
    command += ["--remount-ro", "/dev", "--remount-ro", "/"]
    for name, value in environment().items():
        command += ["--setenv", name, value]
    return [*command, "--chdir", "/tmp", "--", *_no_privileges(as_root), "--"]


def podman(limits: Limits) -> list[str]:
    """Return the command line of podman; the container has the system's own libraries and Python, read-only."""
    temporary = f"/tmp:rw,size={4 * limits.output},mode=1777"
    # without limits on files and processes, podman asks for more than a user may have on some systems
    command = [
        *("podman", "run", "--rm", "--interactive", "--network=none", "--read-only", "--cap-drop=all"),
        *("--security-opt=no-new-privileges", "--security-opt=mask=/sys", "--ipc=private"),
        *(f"--pids-limit={limits.processes}", "--ulimit=nofile=512:512", "--ulimit=nproc=4096:4096"),
        *(f"--memory={limits.memory}", f"--memory-swap={limits.memory}", f"--shm-size={4 * limits.output}"),
        *("--tmpfs", temporary, "--workdir=/tmp", "--read-only-tmpfs=false"),
        f"--timeout={ceil(limits.seconds * limits.slowdown)}",  # it outlives the process that started it
        *([f"--user={FIRST_USER}:{FIRST_USER}"] if os.geteuid() == 0 else []),
    ]
    for path in (*(path for path in _system() if not os.path.islink(path)), *map(str, visible())):
        command += ["--volume", f"{path}:{path}:ro"]
    for name, value in environment().items():
        command += ["--env", f"{name}={value}"]
    return [*command, IMAGE]


def unshare(limits: Limits, as_root: bool = False) -> list[str]:
    """Return a command that sets up namespaces and a read-only root with tools that every Linux has.

    Args:
        limits: Sizes of the temporary folders.
        as_root: Do without a user namespace; the system's own root can, and then gives the sandbox a user of its
            own, whose processes the kernel counts.
    """
    user = ["--user", "--map-root-user"] if not as_root else []
    namespaces = ["--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child"]
    variables = [f"{name}={value}" for name, value in environment().items()]
    return [
        *("unshare", *user, *namespaces, "--", "sh", "-ec", _set_up(limits, as_root), "set-up"),
        *(*_no_privileges(as_root), "--", "env", "-i", *variables),
    ]


def _no_privileges(as_root: bool) -> list[str]:
    """Return a command that gives up all privileges; root becomes a user whose processes the kernel counts."""
    number = FIRST_USER + secrets.randbelow(USERS)
    user = [f"--reuid={number}", f"--regid={number}", "--clear-groups"] if as_root else []
    return ["setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", *user]


def _set_up(limits: Limits, as_root: bool) -> str:
    """Return a shell script that builds a root in memory, moves there, and runs its arguments."""
    root = shlex.quote(_mount_point())
    lines = [f"mount -t tmpfs -o size=4m,mode=755 sandbox {root}", f"cd {root}", "mkdir old etc proc dev tmp"]
    for path in _system():
        if os.path.islink(path):
            lines.append(f"ln -s {shlex.quote(os.readlink(path))} .{path}")
        else:
            lines += _bound(path)
    for path in (*_settings(), *map(str, visible())):
        lines += _bound(path)
    lines += [f"touch dev/{name}; mount --bind /dev/{name} dev/{name}" for name in DEVICES]
    lines.append("mkdir dev/shm dev/pts; ln -s /proc/self/fd dev/fd; ln -s pts/ptmx dev/ptmx")
    lines.append("mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts || true")
    sized = f"-o size={4 * limits.output},mode=1777,nosuid,nodev"
    lines += [f"mount -t tmpfs {sized} sandbox {folder}" for folder in ("dev/shm", "tmp")]
    return "\n".join(
        [
            *lines,
            "mount -t proc -o nosuid,nodev,noexec proc proc 2>/dev/null || true",  # some containers forbid it
            *([] if as_root else ["(echo 0 >proc/sys/user/max_user_namespaces) 2>/dev/null || true"]),
            "mount -o remount,bind,ro proc 2>/dev/null || true",
            "pivot_root . old",
            "cd /",
            "umount -l /old",
            "rmdir /old",
            "mount -o remount,bind,ro /",  # without `bind` it fails for users other than root
            "cd /tmp",
            'exec "$@"',
        ]
    )


def _bound(path: str) -> list[str]:
    here, there = shlex.quote(path), shlex.quote(f".{path}")
    made = f"mkdir -p {there}" if os.path.isdir(path) else f"touch {there}"
    return [made, f"mount --bind {here} {there}", f"mount -o remount,bind,ro,nosuid,nodev {there}"]


@cache
def _mount_point() -> str:
    """Return an empty folder; what is mounted there is seen by the sandbox alone."""
    folder = mkdtemp(prefix="grading-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _system() -> list[str]:
    return [path for path in SYSTEM if os.path.isdir(path)]


def _settings() -> list[str]:
    return [path for path in (f"/etc/{name}" for name in SETTINGS) if os.path.exists(path)]


def command(sandbox: str, limits: Limits) -> list[str]:
    """Return what is put before the worker's own command line; `sandbox` is one that `choose` returned."""
    made = {
        "bubblewrap": bubblewrap,
        "podman": podman,
        "unshare": unshare,
        "unshare as root": lambda limits: unshare(limits, as_root=True),
        "none": lambda limits: [],
    }
    return made[sandbox](limits)


def counts_processes(sandbox: str) -> bool:
    """Return whether the kernel counts the processes of a sandbox apart from the instructor's own.

    For users of a namespace it does so from version 5.14.
    """
    version = tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])
    return sandbox in ("unshare as root", "podman") or (sandbox != "none" and version >= (5, 14))


@cache
def choose(wanted: Sandbox = "auto") -> str:
    """Return the sandbox to use: the one wanted, or the first that works on this system.

    Raises:
        UserError: it does not work here.
    """
    if wanted == "none":
        return wanted
    ways = ["bubblewrap", "unshare as root", "unshare", "podman"]
    tried = {
        way: _complaint(way)
        for way in (ways[:3] if wanted == "auto" else [way for way in ways if way.startswith(wanted)])
        if way != "unshare as root" or os.geteuid() == 0
    }
    working = [way for way, complaint in tried.items() if not complaint]
    if working:
        return working[0]
    reasons = "; ".join(f"{way}: {complaint}" for way, complaint in tried.items())
    raise UserError(
        f"No sandbox works here ({reasons}). Install bubblewrap, use --sandbox podman, or grade notebooks that you "
        "trust, or on a machine that holds nothing else, with --sandbox none."
    )


def _complaint(sandbox: str) -> str:
    """Return why a sandbox does not work here; empty if it does."""
    words = command(sandbox, Limits())
    if not shutil.which(words[0]):
        return f"{words[0]} is not installed"
    try:
        done = subprocess.run(
            [*words, sys.executable, "-c", "import numpy, IPython"],
            capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    if done.returncode == 0:
        return ""
    said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return said[-1][:200]
