"""Grading: right answers get points, and nothing that a notebook does gets more or harms another."""

import csv
import json
import os
import re
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import deepernets
from deepernets.course import checks
from deepernets.course.grading import grades, isolation, judge, sandbox
from deepernets.course.grading.isolation import Limits, choose
from deepernets.course.grading.submissions import Submission
from deepernets.errors import UserError

if TYPE_CHECKING:
    from tests.conftest import Run

PACKAGE = Path(deepernets.__file__).parent
REPOSITORY = Path(__file__).parents[3]
EXERCISES = ("top_k_error", "confusion", "mean_and_sd", "output_size", "he_std", "whitening")
IMPORTS = "import math, os, sys, time, torch\nfrom deepernets import check"
ERROR = "top_k_error = lambda z, y, k: (z.topk(k).indices != y[:, None]).all(1).double().mean()"
CONFUSION = """
def confusion(predicted, labels, classes):
    table = torch.zeros(classes, classes, dtype=torch.long)
    for label, guess in zip(labels.tolist(), predicted.tolist()):
        table[label, guess] += 1
    return table
"""
SIZE = """
def output_size(size, kernel, stride=1, padding=0):
    return max(0, (size + 2 * padding - kernel) // stride + 1)
"""
WHITENING = """
def whitening(covariance):
    variances, directions = torch.linalg.eigh(covariance)
    return (directions / variances.sqrt()).T
"""
SPREAD = """
def mean_and_sd(values):
    mean = sum(values) / len(values)
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
"""

# What students do who mean well; each of them gets a point for every exercise of EXERCISES.
HONEST = [
    "%pip install nothing",
    "!ls",
    "%matplotlib inline",
    "%%time\n" + IMPORTS,
    f"%time 1\n{ERROR}\ntop_k_error??",
    "another_name = top_k_error\nverdict = check('top_k_error', another_name)\n"
    "assert verdict.or_reference() is another_name and verdict.status == 'right'\ndel top_k_error, another_name",
    "import asyncio\nawait asyncio.sleep(0)",
    "assert get_ipython() is not None\ndisplay(1)",
    CONFUSION,
    "for name in ('confusion',):\n    check(name, globals()[name])",
    "def confusion(predicted, labels, classes):\n    return ...  # the stub, copied below the answer",
    "rest = (7\n% 3)\nassert rest == 1 and (1\n!= 2)",
    "def root(x):\n    return math.sqrt(x)",
    SPREAD.replace("math.sqrt", "root"),
    "check('mean_and_sd', mean_and_sd)",
    "root = None  # a helper that later cells call otherwise",
    "from torch.utils.data import DataLoader\n"
    "batches = DataLoader(torch.arange(8), batch_size=4, num_workers=2)\nassert sum(map(len, batches)) == 8",
    "import subprocess\nassert subprocess.run(['true']).returncode == 0",
    "open('notes.txt', 'w').write('mine'); assert open('notes.txt').read() == 'mine'",
    "name = input('Who are you? ')",
    "exit()",
    "sys.exit()",
    "while True:\n    pass",
    SIZE,
    "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nassert deepernets.load_records()"
    .replace("import m", "import deepernets, m"),
    "def he_std(channels_in, channels_out, kernel):\n    return math.sqrt(2 / (channels_in * kernel ** 2))"
    "  # never checked",
    "torch.set_default_dtype(torch.float64)\ntorch.manual_seed(1)",
    WHITENING + "\ncheck('whitening', whitening)",
]  # fmt: skip

# What a notebook tries: each is code that fails if the sandbox holds.
CONTROL = "list the temporary folder, which is allowed"
# A container has its own, or empty ones.
OF_ITS_IMAGE = ("read /etc/passwd", "read /var", "read /run", "read /sys")
ESCAPES = {
    CONTROL: "os.listdir('/tmp')",
    **{
        f"read {path}": f"{'open' if path.is_file() else 'os.listdir'}({str(path)!r})"
        for path in (
            REPOSITORY / "solutions", REPOSITORY / "tests", REPOSITORY / "labs", REPOSITORY / ".git",
            REPOSITORY / "pyproject.toml", Path("/etc/passwd"), Path("/etc/shadow"), Path("/home"), Path("/var"),
            Path("/run"), Path("/sys"), Path("/boot"), Path("/opt"), Path("/mnt"), Path("/old"), Path("/srv"),
        )
    },
    "read the submissions": "os.listdir({folder!r})",
    "read a neighbour": "open({folder!r} + '/honest.ipynb').read()",
    "read the grades": "open({out!r}).read()",
    "read the environment": "os.environ['DEEPERNETS_SECRET']",
    "read the environment of the first process":
        "'DEEPERNETS_SECRET' in open('/proc/1/environ').read() or 1 / 0",
    "find traces in the temporary folder": "os.listdir('/dev/shm')[0]",
    "see the grader's processes": "os.kill({grader}, 0) if {grader} > 1000 else 1 / 0",
    **{
        f"write {path}": f"open({str(path)!r}, 'a').write('#')"
        for path in (
            Path(checks.__file__), PACKAGE / "new.py", Path(sys.prefix) / "new.pth", Path(sys.base_prefix) / "new",
            REPOSITORY / "results" / "new.json", Path("/usr/new"), Path("/etc/new"), Path("/new"), Path("/bin/new"),
            Path("/proc/sys/kernel/hostname"), Path("/dev/sda"), Path("/dev/new"),
        )
    },
    "remove the checks": f"os.remove({checks.__file__!r})",
    "rename the package": f"os.rename({str(PACKAGE)!r}, {str(PACKAGE) + 'x'!r})",
    "change its mode": f"os.chmod({checks.__file__!r}, 0o777)",
    "write the grades": "open({out!r}, 'w').write('')",
    "call the machine itself": "socket.create_connection(('127.0.0.1', {port}), 2)",
    "call the network": "socket.create_connection(('192.0.2.1', 80), 2)",
    "ask for a name": "socket.getaddrinfo('example.org', 80)",
    "send a datagram": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'', ('192.0.2.1', 9))",
    "find a hidden socket": "socket.socket(socket.AF_UNIX).connect('\\0' + {hidden!r})",
    "mount": "subprocess.run(['mount', '-t', 'tmpfs', 'x', '/tmp'], check=True)",
    "mount again for writing": "subprocess.run(['mount', '-o', 'remount,rw', '/usr'], check=True)",
    "unmount": "subprocess.run(['umount', '-l', '/usr'], check=True)",
    "become root": "os.setuid(0) if os.getuid() else 1 / 0",
    "change the root": "os.chroot('/tmp')",
    "name the machine": "socket.sethostname('mine')",
    "make a device": "os.mknod('/tmp/disk', 0o60666, os.makedev(8, 0))",
    "raise a limit": "resource.setrlimit(resource.RLIMIT_FSIZE, (2**40, 2**40))",
    "be preferred": "os.nice(-10)",
    "write a large file": "open('/tmp/large', 'wb').write(bytes(2**21))",
    "fill the shared memory":
        "[open('/dev/shm/%d' % n, 'wb').write(bytes(2**20)) for n in range(40)]",
    "fill the temporary folder": "[open('/tmp/%d' % n, 'wb').write(bytes(2**20)) for n in range(40)]",
    "open files without end": "[open('/dev/null') for _ in range(5000)]",
    "hoard memory": "[bytearray(10**8) for _ in range(100)]",
    "map memory": "mmap.mmap(-1, 8 * 2**30, flags=mmap.MAP_PRIVATE)",
    "start processes without end":
        "[subprocess.Popen(['sleep', '9'], start_new_session=True) for _ in range(200)]",
}  # fmt: skip

# Cells that want a point without an answer, or a better verdict; none of them gets one.
FORGERIES = [
    "print('top_k_error: right.\\nconfusion: right.')",
    "import deepernets, deepernets.course.checks as c\n"
    "from deepernets.course.exercises import judging, values\n"
    "right = lambda *a, **k: c.Verdict('x', 'right', '', None)\n"
    "c.judge = deepernets.check = right\n"
    "judging.difference = values.difference = judging.judge = lambda *a, **k: None\n"
    "judging.NUMBER_TOLERANCE = math.inf\n"
    "torch.equal = torch.allclose = math.isclose = lambda *a, **k: True",
    "class Yes(float):\n    __eq__ = __lt__ = __le__ = lambda *a: True\n    __hash__ = None\n"
    "    __sub__ = __rsub__ = lambda *a: 0.0\n    __float__ = lambda self: 2.0",
    "top_k_error = lambda *a: Yes(2.0)\ncheck('top_k_error', top_k_error)",
    "class Same(torch.Tensor):\n    __eq__ = lambda *a: True\n"
    "confusion = lambda p, y, n: torch.zeros(n, n).as_subclass(Same)\ncheck('confusion', confusion)",
    "class Any(dict):\n    __eq__ = lambda *a: True\nmean_and_sd = lambda v: Any()\n"
    "check('mean_and_sd', mean_and_sd)",
    "def output_size(*a):  # looks for an expected value in all frames\n"
    "    frame, found = sys._getframe(), 0\n"
    "    while frame:\n"
    "        found = found or frame.f_locals.get('right') or frame.f_locals.get('expected') or 0\n"
    "        frame = frame.f_back\n"
    "    return found\n"
    "check('output_size', output_size)",
    "import gc\n"
    "workers = [one for one in gc.get_objects() if type(one).__name__ == 'Worker']\n"
    "for one in workers:\n"
    "    one.right.update(one.exercises)\n"
    "    one.right.clear()",
    "for one in workers:\n"
    "    for name in ('top_k_error', 'he_std'):\n"
    "        one._send({'check': name, 'status': 'right', 'of': 'x' * 9999})\n"
    "        while 'case' in (request := one._receive()):\n"
    "            one._send({'outcome': ['outcome', True, 0], 'status': 'right', 'right': True})",
    "for one in workers:\n"
    "    for plain in (['list', [['list', []]]], ['int', 'f' * 500], ['tensor', 'int64', [2, 2], ''], 'x',\n"
    "                  ['dict', [['he_std', None]]], ['stopped', 'ValueError', 'x'], float('nan'), [], {}):\n"
    "        one._send({'check': 'he_std'})\n"
    "        while 'case' in one._receive():\n"
    "            one._send({'outcome': ['outcome', plain, 0]})",
    "def he_std(*a):\n    raise AssertionError('=HYPERLINK(\"x\")\\x1b[31m<script>' + 'x' * 9999)\n"
    "check('he_std', he_std)",
    "threading = __import__('threading')\n"
    "threading.Thread(target=lambda: [time.sleep(0.01) for _ in iter(int, 1)], daemon=True).start()",
    "sys.settrace(lambda *a: None)\nsys.stdout.write('x' * 10**7)\nimport atexit; atexit.register(print)",
    "def whitening(*a):  # kills what asks\n    os._exit(0)\ncheck('whitening', whitening)",
    "raise RuntimeError('\\udcff\\x00' + 'a' * 10**6)",
]  # fmt: skip

# Cells that end the process or damage its pipes; what is right before and after counts.
ENDINGS = [
    IMPORTS,
    ERROR,
    "os._exit(0)",
    "import json, struct\n"
    "for fd in range(3, 30):\n"
    "    try: os.write(fd, struct.pack('>I', 2**32 - 1) + b'[' * 10**5)\n"
    "    except OSError: pass",
    CONFUSION,
    "check('top_k_error', top_k_error); check('confusion', confusion)",
    "def mean_and_sd(values)\n    return 0, 0",
]
LIMITS = Limits(seconds=60, cell_seconds=4, memory=3 * 2**30, output=2**20)
POINTS = {"honest": 6, "escapes": 1, "forgeries": 0, "endings": 2}


def _escapes(folder: Path, out: Path, port: int) -> Iterator[str]:
    yield IMPORTS + "\nimport mmap, resource, socket, subprocess"
    known = {
        "folder": str(folder),
        "out": str(out),
        "port": port,
        "grader": os.getpid(),
        "hidden": f"g{port}",
    }
    for name, code in ESCAPES.items():
        code = re.sub(r"\{(\w+)(!r)?\}", lambda m: repr(known[m[1]]), code)
        yield (
            f"try:\n    {code}\nexcept BaseException as error:\n    error = None\n"
            f"else:\n    raise SystemError({'ESCAPED ' + name!r})\n"
        )
    yield "os.system('rm -rf /tmp/* /dev/shm/*')\n" + ERROR + "\ncheck('top_k_error', top_k_error)"


def _notebook(cells: Iterable[str]) -> str:
    return json.dumps(
        {"cells": [{"cell_type": "code", "metadata": {}, "source": cell} for cell in cells], "nbformat": 4}
    )


@contextmanager
def _listening() -> Iterator[int]:
    """Listen on a port, and on a hidden socket that is named after it."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as hidden:
        port = server.getsockname()[1]
        hidden.bind(f"\0g{port}")
        hidden.listen()
        yield port


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grade what means well and what does not, side by side."""
    try:
        choose()
    except UserError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("handed-in")
    out = tmp_path_factory.mktemp("grades") / "grades.csv"
    with pytest.MonkeyPatch.context() as patch, _listening() as port:
        notebooks = {
            "honest": HONEST,
            "escapes": list(_escapes(folder, out, port)),
            "forgeries": [IMPORTS, *FORGERIES],
            "endings": ENDINGS,
        }
        for name, cells in notebooks.items():
            (folder / f"{name}.ipynb").write_text(_notebook(cells))
        (folder / "broken.ipynb").write_text("{")
        (folder / "other.ipynb").write_text(_notebook(["check('sgd_step', 1)"]))
        patch.setenv("DEEPERNETS_SECRET", "instructor")
        patch.setitem(checks.labs(), "lab03", {name: checks.exercises()[name] for name in EXERCISES})
        rows = grades.grade_folder(folder, out, lab="3", seed=7, limits=LIMITS)
        assert rows == [tuple(row.values()) for row in _rows(out)]
        before = out.read_bytes()
        grades.grade_folder(folder, out, lab="3", resume=True)
        assert out.read_bytes() == before  # everybody is in the table already
    return out


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _of(path: Path, student: str) -> dict[str, dict[str, str]]:
    return {row["exercise"]: row for row in _rows(path) if row["student"] == student}


def _page(path: Path, student: str) -> str:
    return (path.with_name("grades-feedback") / grades.page_name(student)).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", POINTS)
def test_every_notebook_gets_the_points_it_deserves(name: str, graded: Path) -> None:
    rows = _of(graded, name)
    assert set(rows) == {*EXERCISES, "total"}
    total = rows["total"]
    assert (int(total["points"]), total["of"], total["status"]) == (POINTS[name], "6", "graded"), rows
    assert f"{POINTS[name]} of 6 exercises are right." in _page(graded, name)


def test_an_answer_with_a_syntax_error_is_shown_as_what_it_is(graded: Path) -> None:
    row = _of(graded, "endings")["mean_and_sd"]
    assert row["status"] == "wrong"
    assert row["remark"] == "Cell 7, which has your answer, stopped with SyntaxError in line 1: expected ':'"
    assert _of(graded, "endings")["he_std"]["status"] == "not attempted"


def test_honest_cells_run_as_in_a_notebook(graded: Path) -> None:
    remark = _of(graded, "honest")["total"]["remark"]
    assert set(re.findall(r"Cell (\d+) stopped with (\w+)", remark)) == {
        ("20", "EOFError"), ("22", "SystemExit"), ("23", "CellTimeoutError"),
    }  # fmt: skip


def test_nothing_escapes_from_a_sandbox(graded: Path) -> None:
    page = _page(graded, "escapes")
    assert "Cell 1 stopped" not in page, "without its imports every attempt would fail"
    assert set(re.findall(r"ESCAPED ([^.<]*)", page)) == {CONTROL}
    assert len(ESCAPES) > 60


@pytest.mark.parametrize("way", ["bubblewrap", "unshare", "unshare as root", "podman"])
def test_nothing_escapes_from_any_other_sandbox(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (way == "unshare as root") != (os.geteuid() == 0 and "unshare" in way):
        pytest.skip("this user has the other kind of unshare")
    if complaint := isolation._complaint(way):
        pytest.skip(complaint)
    if way == choose():
        pytest.skip("it is tried with all notebooks")
    (tmp_path / "honest.ipynb").touch()
    (tmp_path / "grades.csv").touch()
    monkeypatch.setenv("DEEPERNETS_SECRET", "instructor")
    with _listening() as port:
        cells = dict(enumerate(_escapes(tmp_path, tmp_path / "grades.csv", port), 1))
        result = judge.run(Submission("escapes", cells, "lab03"), ["top_k_error"], [7], LIMITS, way)
    said = "\n".join(result.remarks)
    assert "Cell 1 stopped" not in said, "without its imports every attempt would fail"
    assert set(re.findall(r"ESCAPED ([^.\n]*)", said)) == {
        CONTROL,
        *(OF_ITS_IMAGE if way == "podman" else ()),
    }
    assert result.verdicts["top_k_error"][0] == "right"


def test_nothing_outside_is_changed(graded: Path) -> None:
    assert Path(checks.__file__).read_text(encoding="utf-8").startswith('"""`check(')
    assert not Path(checks.__file__).read_text(encoding="utf-8").endswith("#")
    assert not any((place / "new.py").exists() for place in (PACKAGE, Path(sys.prefix)))


def test_what_students_wrote_is_escaped_and_cut(graded: Path) -> None:
    page, rows = _page(graded, "forgeries"), _of(graded, "forgeries")
    assert "<script>" not in page
    assert len(page) < 10_000
    assert "\x1b" not in page + rows["he_std"]["remark"]
    assert all(len(row["remark"]) < 1_100 for row in rows.values())
    assert "Calling your answer ended the process" in rows["whitening"]["remark"]
    assert "Cell 3 ended the process" in _page(graded, "endings")


@pytest.mark.parametrize(
    ("name", "reason"), [("broken", "not JSON"), ("other", "The notebook is lab07, not lab03")]
)
def test_what_cannot_be_graded_is_named_with_the_reason(name: str, reason: str, graded: Path) -> None:
    (row,) = _of(graded, name).values()
    assert (row["exercise"], row["points"], row["status"]) == ("total", "0", "not graded")
    assert reason in row["remark"]
    assert reason in _page(graded, name)


def test_the_course_s_own_answers_and_equal_ones_are_flagged() -> None:
    long = SPREAD + "    # of a sample\n"
    reads = "from deepernets.course.exercises.lab03 import _confusion"
    flags = grades._flags(
        [
            Submission("a", {1: long}),
            Submission("b", {1: long.replace("    # of a sample", "").replace(" ** ", "**")}),
            Submission("c", {1: ERROR, 2: reads}),
            Submission("d", {1: ERROR, 2: "from deepernets.course.exercises.lab11 import training_case"}),
        ],
        ["mean_and_sd", "top_k_error"],
    )
    assert flags == {
        "a": {"mean_and_sd": "the same code as b"},
        "b": {"mean_and_sd": "the same code as a"},
        "c": {"total": "a cell reads the course's own answers"},
    }


def test_a_long_cell_is_searched_for_answers_once() -> None:
    opened = "from deepernets.course.exercises.lab03 import (\n"
    assert not grades._reads_answers(opened * 30_000, ["confusion"])
    assert grades._reads_answers(f"{opened * 30_000}    training_case, _confusion)", ["mean_and_sd"])


def test_a_grader_that_fails_at_one_notebook_says_so_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "run", lambda *_: 1 / 0)
    grade = grades._grade(Submission("a", {1: "1"}, "lab03"), "lab03", ("confusion",), [1], Limits(), "none")
    assert [row.status for row in grade.rows()] == ["not graded"]
    assert "ZeroDivisionError" in grade.submission.problem


def test_rows_of_an_interrupted_grading_are_kept_and_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "grades.csv"
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.ipynb").write_text(_notebook(["check('confusion', 1)"]))
    ran: list[str] = []

    def run(submission: Submission, exercises: list[str], *_: object) -> judge.Result:
        ran.append(submission.student)
        if len(ran) == 2:
            raise KeyboardInterrupt
        return judge.Result(dict.fromkeys(exercises, ("right", "")))

    monkeypatch.setattr(judge, "run", run)
    with pytest.raises(KeyboardInterrupt):
        grades.grade_folder(tmp_path, out, sandbox="none", workers=1)
    assert {row["student"] for row in _rows(out)} <= {"a", "c"}
    kept = _rows(out)
    assert not sandbox.interrupted.is_set()
    with out.open("a") as file:
        file.write("b,lab03,confusion,1")  # cut off in the middle
    grades.grade_folder(tmp_path, out, sandbox="none", workers=1, resume=True)
    rows = _rows(out)
    assert [row["student"] for row in rows if row["exercise"] == "total"] == ["a", "b", "c"]
    assert kept == [row for row in rows if row["student"] in {row["student"] for row in kept}]
    with pytest.raises(UserError, match="has grades of lab03, not of lab04"):
        grades.grade_folder(tmp_path, out, lab="4", sandbox="none", resume=True)
    out.write_text("other,table\n")
    with pytest.raises(UserError, match="is not a table of grades"):
        grades.grade_folder(tmp_path, out, sandbox="none", resume=True)


def test_a_place_that_cannot_be_written_is_found_before_grading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "run", lambda *_: pytest.fail("graded"))
    (tmp_path / "a.ipynb").write_text(_notebook(["check('confusion', 1)"]))
    with pytest.raises(UserError, match="cannot be written"):
        grades.grade_folder(tmp_path, tmp_path / "a.ipynb" / "grades.csv", sandbox="none")


def test_without_a_sandbox_the_table_says_so(run: "Run", tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text(_notebook([IMPORTS, CONFUSION, "check('confusion', confusion)"]))
    out = tmp_path / "grades.csv"
    words = ("--out", out, "--sandbox", "none", "--format", "moodle")
    status, printed, _ = run("grade", tmp_path, *words)
    assert status == 0
    total = _of(out, "a")["total"]
    assert total["points"] == "1"
    assert total["remark"].startswith("Graded without a sandbox.")
    assert "1 of 1 notebooks graded; sandbox: none" in printed
    assert _rows(out.with_name("grades-moodle.csv"))[0]["Grade"] == "1"
    assert run("grade", tmp_path, "--workers", 0)[0] == 2


def test_names_are_safe_in_tables_and_files() -> None:
    assert grades._harmless("=HYPERLINK()") == "'=HYPERLINK()"
    names = ["../../a", "a/b", "a b", "ü" * 300, "=x", "COM1", ""]
    pages = {grades.page_name(name) for name in names}
    assert len(pages) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9-]{1,60}\.html", page) for page in pages)
