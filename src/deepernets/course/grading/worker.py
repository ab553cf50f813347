"""Runs one submission; started by `sandbox` as a process of its own, with limits set and nothing to lose.

It runs the notebook's cells, then asks for the secret (a token and the seeds of the hidden inputs), and only then
judges, with the checks loaded anew: what a notebook prints or patches has no say in its points.
"""

import json
import linecache
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

CANDIDATES = 3  # versions of an answer that are judged, the latest first
REFUSED = {
    *("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"),
    *("os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system", "os.kill", "os.killpg"),
    *("subprocess.Popen", "pty.spawn"),
}
CHANGING = {
    *("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "os.chown", "shutil.rmtree", "shutil.move", "shutil.copyfile"),
}
CLOCKS = {signal.SIGPROF: signal.ITIMER_PROF, signal.SIGALRM: signal.ITIMER_REAL}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class CellTimeoutError(BaseException):
    """A cell took too long; not an `Exception`, so that answers do not catch it by accident."""


def main(job_path: str, report_to: int, secret_from: int) -> None:
    """Run the job at `job_path`, and report in lines of JSON."""
    job = json.loads(Path(job_path).read_text(encoding="utf-8"))

    def report(**what: Any) -> None:
        os.write(report_to, (json.dumps(what) + "\n").encode())

    _limit(job)
    untouched = Untouched()
    _forbid(Path(job_path).parent.resolve())
    candidates = _run_cells(job, report)
    _stop_clocks()
    untouched.restore()
    report(ready=True)
    secret = json.loads(os.read(secret_from, 4096))
    for name in job["exercises"]:
        report(judging=name, token=secret["token"])
        report(**_judge(name, candidates[name], secret["seeds"]), token=secret["token"])
    report(done=True, token=secret["token"])
    os._exit(0)  # whatever the notebook has registered for the end


def _run_cells(job: dict[str, Any], report: Any) -> dict[str, list[Any]]:
    """Run the cells one after the other, and return the versions of each answer that they made."""
    from deepernets.course import checks

    def postponed(name: str, answer: Any) -> checks.Verdict:
        """Judge later; until then the lab goes on with the course's own answers."""
        return checks.Verdict(str(name), "not attempted", "", answer)

    checks.check = postponed
    notebook = ModuleType("__main__")
    notebook.__dict__.update(display=lambda *things, **options: None)
    sys.modules["__main__"] = notebook
    candidates: dict[str, list[Any]] = {name: [] for name in job["exercises"]}
    for number, source in job["cells"]:
        report(cell=number)
        try:
            with _at_most(job["cell_seconds"], job["slowdown"]):
                _execute(source, f"<cell {number}>", notebook.__dict__)
        except BaseException as error:  # SystemExit included: the next cell has its chance
            report(failed=number, error=_in_words(error))
        for name, versions in candidates.items():
            if name in notebook.__dict__ and not any(notebook.__dict__[name] is known for known in versions):
                versions.append(notebook.__dict__[name])
    return candidates


def _execute(source: str, name: str, namespace: dict[str, Any]) -> None:
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), namespace)


@contextmanager
def _at_most(seconds: float, slowdown: float) -> Iterator[None]:
    """Interrupt what takes more than `seconds` of processor time, or `slowdown` times as long by the clock."""

    def too_long(signal_number: int, frame: FrameType | None) -> None:
        clock = "s" if signal_number == signal.SIGALRM else "s of computing"
        raise CellTimeoutError(f"it was not done after {limits[signal_number]:g} {clock}")

    limits: dict[int, float] = {signal.SIGPROF: seconds, signal.SIGALRM: seconds * slowdown}
    for number, timer in CLOCKS.items():
        signal.signal(number, too_long)
        signal.setitimer(timer, limits[number], 1.0)  # and every second again, for those who catch it
    try:
        yield
    finally:
        _stop_clocks()


def _stop_clocks() -> None:
    for timer in CLOCKS.values():
        signal.setitimer(timer, 0)


def _judge(name: str, versions: list[Any], seeds: list[int]) -> dict[str, str]:
    """Return the verdict on the best of the last versions of an answer: right must be right on all seeds."""
    from deepernets.course import checks

    verdict = {"name": name, "status": "not attempted", "hint": ""}
    for answer in reversed(versions[-CANDIDATES:]):
        tries = [checks.judge(name, answer, seed) for seed in seeds[:1]]
        if tries[0].status == "right":
            tries += [checks.judge(name, answer, seed) for seed in seeds[1:]]
        worst = next((tried for tried in tries if tried.status != "right"), None)
        if worst is None:
            return {"name": name, "status": "right", "hint": ""}
        if verdict["status"] == "not attempted" and worst.status == "wrong":
            verdict = {"name": name, "status": "wrong", "hint": worst.hint}
    return verdict


class Untouched:
    """The interpreter as it was before a student's code ran: its modules, and the functions in them."""

    def __init__(self) -> None:
        import torch

        from deepernets.course import checks

        checks.labs()
        ways: tuple[list[Any], ...] = (sys.path, sys.meta_path, sys.path_hooks)
        self.ways = [(way, list(way)) for way in ways]
        self.modules = {name: module for name, module in sys.modules.items() if not _ours(name)}
        spaces: list[Any] = [*self.modules.values(), torch.Tensor, torch.nn.Module]
        self.contents = [(space, dict(vars(space))) for space in spaces if hasattr(space, "__dict__")]

    def restore(self) -> None:
        """Undo patches to modules, and forget the course's own, so that they are loaded anew from their files."""
        for way, steps in self.ways:
            way[:] = steps
        for space, before in self.contents:
            for name, value in before.items():
                if callable(value) and vars(space).get(name) is not value:
                    setattr(space, name, value)
        for name in [name for name in sys.modules if _ours(name)]:
            del sys.modules[name]
        sys.modules.update(self.modules)


def _ours(name: str) -> bool:
    return name.split(".")[0] == "deepernets"


def _limit(job: dict[str, Any]) -> None:
    """Limit memory, file size, processes and processor time of this process and those it starts."""
    wanted = {
        "RLIMIT_DATA": int(job["memory"]),
        "RLIMIT_FSIZE": int(job["output"]),
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": int(job["seconds"]) + 5,
    }
    for name, limit in wanted.items():
        kind = getattr(resource, name)
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(
            kind, (limit, limit) if hard == resource.RLIM_INFINITY else (min(limit, hard), hard)
        )


def _forbid(home: Path) -> None:
    """Refuse, for the rest of this process, the network, new processes, and changes to files outside `home`."""

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event in REFUSED:
            raise PermissionError(f"{event} is not available while a notebook is graded")
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if (writes or event in CHANGING) and not all(map(inside, _paths(event, arguments))):
            raise PermissionError(f"files outside of the notebook's folder cannot be changed ({event})")

    def inside(path: str) -> bool:
        return path == os.devnull or os.path.realpath(path).startswith(f"{home}{os.sep}")

    sys.addaudithook(watch)


def _paths(event: str, arguments: tuple[Any, ...]) -> list[str]:
    """Return the paths that an audited event changes; a file descriptor was opened before, and is none."""
    both = event in ("os.rename", "os.link", "os.symlink", "shutil.move")
    named = arguments[: 2 if both else 1] if event != "shutil.copyfile" else arguments[1:2]
    return [os.fsdecode(path) for path in named if isinstance(path, str | bytes | os.PathLike)]


def _in_words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:300].encode(errors="backslashreplace").decode()
    except BaseException:
        return "an exception that cannot be printed"


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
