import base64
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

import deepernets
from deepernets.book import forks
from deepernets.book.forks import book_address, repository
from deepernets.course import checks, labs
from deepernets.course.masters import cells_of, with_stubs
from deepernets.course.notebooks import (
    assemble,
    code_of,
    execute,
    first_to_execute,
    joined,
    keep_pictures,
    take_outputs,
    text_of,
)
from deepernets.errors import UserError

ROOT = Path(__file__).parents[2]
MASTER = '''# %% [markdown]
# # A lab

# %%
from deepernets import check

# %%
### BEGIN SOLUTION
import math

top_k_error = lambda z, y, k: (z.topk(k).indices != y[:, None]).all(1).double().mean()
### END SOLUTION

# %%
check("top_k_error", top_k_error)


# %%
def confusion(predicted, labels, classes):
    """Count."""
    ### BEGIN SOLUTION
    pairs = list(zip(labels.tolist(), predicted.tolist()))
    return [[pairs.count((i, j)) for j in range(classes)] for i in range(classes)]
    ### END SOLUTION


# %%
check("confusion", confusion)

# %% [markdown]
# **Explain.** Why three?

# %% [markdown] tags=["answer"]
# There are three classes.
'''


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("course")
    shutil.copy(ROOT / "_config.yml", root)
    for folder in ("solutions", "labs"):
        (root / folder).mkdir()
    (root / "solutions" / "01_a_lab.py").write_text(MASTER)
    labs.build(root)
    return root


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "course"))


def _printed(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("text") or output.data["text/plain"] for output in outputs)


def test_the_solution_is_right_and_the_lab_is_not_attempted(root: Path) -> None:
    printed = _printed(root / "solutions/01_a_lab.ipynb").splitlines()
    assert printed == [
        f"✓ {name}: right. {count} of 7 exercises are right."
        for count, name in enumerate(("top_k_error", "confusion"), 1)
    ]
    assert _printed(root / "labs/01_a_lab.ipynb").count("not attempted") == 2


def test_stubs_are_what_check_knows_as_not_attempted(root: Path) -> None:
    lab = "\n".join(cell.source for cell in nbformat.read(root / "labs/01_a_lab.ipynb", as_version=4).cells)
    assert "top_k_error = ...  # your answer here" in lab
    assert "    return ...  # your code here" in lab
    assert "BEGIN SOLUTION" not in lab


def test_badge_and_set_up_come_from_the_configuration(root: Path) -> None:
    url, ref = repository(root)
    cells = nbformat.read(root / "labs/01_a_lab.ipynb", as_version=4).cells
    assert f"colab.research.google.com/github/{url.split('.com/')[1]}/blob/{ref}/labs/01_a_lab.ipynb" in (
        cells[1].source
    )
    assert f'COURSE = "git+{url}@{ref}"' in cells[2].source
    assert f'set_up("{deepernets.__version__}", COURSE)' in cells[2].source
    assert cells[2].outputs == [], "what it says depends on the machine"


def test_a_link_to_a_chapter_leads_to_the_published_book(root: Path) -> None:
    master = root / "solutions/01_a_lab.py"
    master.write_text(
        MASTER.replace("# # A lab", "# # A lab\n#\n# See [Data](book:data) and [more](book:data#x).")
    )
    with pytest.raises(UserError, match=r"01_a_lab\.py: there is no chapter book/data\.md"):
        labs.build(root)
    (root / "book").mkdir()
    (root / "book/data.md").touch()
    labs.build(root)
    page = f"{book_address(root)}/book/data.html"
    source = nbformat.read(root / "labs/01_a_lab.ipynb", as_version=4).cells[0].source
    assert f"[Data]({page}) and [more]({page}#x)" in source


def test_the_caption_below_a_figure_is_its_alternative_text() -> None:
    cells_as_text = (
        "# %% [markdown]\n# # Title",
        "# %%\n1 + 1",
        "# %% [markdown]\n# *Two bars,\n# one long.*\n#\n# On.",
    )
    text = "\n\n".join(cells_as_text)
    links = "https://github.com/a/b", "main", "https://a.github.io/b"
    cells = assemble(cells_of(text), "labs/01_a_lab.ipynb", *links).cells
    assert cells[3].metadata.mystnb.image.alt == "Two bars, one long."
    assert not assemble(cells_of(MASTER), "labs/01_a_lab.ipynb", *links).cells[3].metadata


def test_a_build_executes_what_changed_and_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [root / "solutions/01_a_lab.ipynb", root / "labs/01_a_lab.ipynb"]
    before = [path.read_text() for path in paths]
    executed: list[Path] = []

    def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
        executed.append(folder)
        return notebook

    monkeypatch.setattr(labs, "execute", execute)
    said: list[str] = []
    labs.build(root, report=said.append)
    assert said == ["solutions/01_a_lab.ipynb: unchanged", "labs/01_a_lab.ipynb: unchanged"]
    assert [path.read_text() for path in paths] == before, "a second build changes no source and no cell id"

    (root / "solutions/01_a_lab.py").write_text(MASTER.replace("Why three?", "Why 3?"))
    labs.build(root, report=said.append)
    labs.check(root)
    assert said[2:] == [f"{path.relative_to(root)}: text changed, outputs kept" for path in paths]
    forks.point_at(root, "https://github.com/c/d", "v2")
    monkeypatch.setattr(deepernets, "__version__", "2.0")
    labs.build(root)
    assert not executed, "an edit of the text executes nothing, and neither does another set-up cell"
    assert "Why 3?" in paths[1].read_text()
    assert 'set_up(\\"2.0\\", COURSE)' in paths[1].read_text()
    assert _printed(paths[0]).startswith("✓ top_k_error: right.")

    labs.build(root, execute_all=True)
    assert executed == [path.parent for path in paths]
    for path, text in zip(paths, before, strict=True):
        path.write_text(text)
    (root / "solutions/01_a_lab.py").write_text(MASTER.replace("import math", "import cmath"))
    labs.build(root, report=said.append)
    assert executed[2:] == [root / "solutions"], "the student's notebook does not have the line"
    assert said[-2:] == [
        "solutions/01_a_lab.ipynb: executing, because In [3] changed",
        "labs/01_a_lab.ipynb: text changed, outputs kept",
    ]


def _png(colour: int, size: tuple[int, int] = (4, 4)) -> str:
    Image.new("RGB", size, (colour, 0, 0)).save(stream := io.BytesIO(), "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def _notebook(pictures: dict[str, str], count: int) -> NotebookNode:
    """Return a notebook with a cell for each picture, executed as number `count` and so on."""
    cells = [new_code_cell("set-up")]
    for number, (source, picture) in enumerate(pictures.items(), count):
        output = new_output("execute_result", {"image/png": picture}, execution_count=number)
        cells.append(new_code_cell(source, outputs=[output], execution_count=number))
    return new_notebook(cells=cells)


def _pictures(notebook: NotebookNode) -> list[str]:
    return [output.data["image/png"] for cell in notebook.cells for output in cell.outputs]


def test_cells_above_the_first_change_keep_their_outputs_and_pictures_that_look_alike_stay() -> None:
    before = _notebook({"a": _png(10), "b": _png(20), "c": _png(30), "d": _png(40), "e": _png(50)}, count=2)
    drawn = {"a": _png(99), "b": _png(20), "x": _png(30), "d": _png(41), "e": _png(99)}
    after = _notebook(drawn, count=2)
    first = first_to_execute(after, before)
    assert first == 3
    kept = take_outputs(keep_pictures(after, before), before, first)
    assert _pictures(kept) == [_png(10), _png(20), _png(30), _png(40), _png(99)]
    larger = _notebook({"a": _png(10, (4, 5))}, count=2)
    assert _pictures(keep_pictures(larger, before)) == [_png(10, (4, 5))]


def test_an_added_or_a_removed_cell_is_a_change() -> None:
    short, long = (_notebook(dict.fromkeys(sources, _png(1)), count=2) for sources in ("ab", "abc"))
    assert first_to_execute(long, short) == first_to_execute(short, long) == 3
    assert first_to_execute(short, short) is None
    short.cells[1].execution_count = None
    assert first_to_execute(long, short) == 1


def test_a_changed_master_or_notebook_is_noticed(root: Path) -> None:
    master = root / "solutions/01_a_lab.py"
    master.write_text(MASTER.replace("# # A lab", "# # Another lab"))
    with pytest.raises(UserError, match=r"01_a_lab\.ipynb in labs: differs from its master"):
        labs.check(root)
    master.write_text(MASTER)
    (root / "labs/01_a_lab.ipynb").unlink()
    with pytest.raises(UserError, match=r"01_a_lab\.ipynb in labs: missing"):
        labs.check(root)


def test_a_notebook_that_was_not_executed_is_noticed(root: Path) -> None:
    path = root / "solutions/01_a_lab.ipynb"
    notebook = nbformat.read(path, as_version=4)
    next(cell for cell in notebook.cells if cell.cell_type == "code").execution_count = None
    nbformat.write(notebook, path)
    with pytest.raises(UserError, match="not executed"):
        labs.check(root)


def test_a_solution_line_in_the_students_notebook_is_noticed(root: Path) -> None:
    path = root / "labs/01_a_lab.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[
        0
    ].source += "\ntop_k_error = lambda z, y, k: (z.topk(k).indices != y[:, None]).all(1).double().mean()"
    nbformat.write(notebook, path)
    with pytest.raises(UserError, match=r"shows the solution line 'top_k_error = lambda"):
        labs.check(root)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('check("confusion", confusion)', "", "2 marked solutions, but 1 checks"),
        ('check("confusion", confusion)', 'check("no_such", 1)', "check.'no_such'. has no exercise"),
        ('check("top_k_error", top_k_error)', "", "two exercises follow each other with no check"),
    ],
)
def test_an_exercise_without_a_check_stops_the_build(old: str, new: str, complaint: str, root: Path) -> None:
    (root / "solutions/01_a_lab.py").write_text(MASTER.replace(old, new))
    before = (root / "labs/01_a_lab.ipynb").read_text()
    with pytest.raises(UserError, match=complaint):
        labs.build(root)
    assert (root / "labs/01_a_lab.ipynb").read_text() == before


def test_a_check_that_overwrites_the_answer_stops_the_build(root: Path) -> None:
    (root / "solutions/01_a_lab.py").write_text(MASTER.replace('\ncheck("conf', '\nconfusion = check("conf'))
    with pytest.raises(UserError, match=r"check.'confusion'. overwrites the answer"):
        labs.check(root)


@pytest.mark.parametrize(
    ("solution", "names"),
    [
        ("mean, std = 1, 2", ["mean", "std"]),
        ("rate: float = 0.1", ["rate"]),
        ("def step():\n    local = 1", ["step"]),
        ("class Block:\n    size = 1", ["Block"]),
        ("squares = [n * n for n in range(3)]", ["squares"]),
        ("table[0] = row = 3", ["row"]),
    ],
)
def test_every_name_that_a_solution_binds_gets_a_placeholder(solution: str, names: list[str]) -> None:
    stub = with_stubs(f"### BEGIN SOLUTION\n{solution}\n### END SOLUTION\n")
    assert stub.splitlines() == [f"{name} = ...  # your answer here" for name in names]


def test_model_answers_are_for_the_solution_alone(root: Path) -> None:
    last = {
        folder: nbformat.read(root / folder / "01_a_lab.ipynb", as_version=4).cells[-1].source
        for folder in ("labs", "solutions")
    }
    assert last == {"labs": "*Your answer:*", "solutions": "**Model answer.**\n\nThere are three classes."}


def test_a_solution_says_in_its_title_what_it_is(root: Path) -> None:
    titles = {
        folder: nbformat.read(root / folder / "01_a_lab.ipynb", as_version=4).cells[0].source
        for folder in ("labs", "solutions")
    }
    assert titles == {"labs": "# A lab", "solutions": "# A lab (solution)"}


def test_a_solution_shown_by_another_lab_or_by_an_output_is_noticed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = "top_k_error = lambda z, y, k: (z.topk(k).indices != y[:, None]).all(1).double().mean()"

    def execute(notebook: NotebookNode, folder: Path) -> NotebookNode:
        for count, cell in enumerate(code_of(notebook), 1):
            cell.execution_count = count
        cell.outputs = [new_output("stream", name="stdout", text=shown)]
        return notebook

    monkeypatch.setattr(labs, "execute", execute)
    (root / "solutions/02_other.py").write_text(MASTER.split("### BEGIN")[0] + "print(...)\n")
    before = (root / "labs/01_a_lab.ipynb").stat().st_mtime_ns
    assert [path.name for path in labs.build(root, wanted=("02",))] == ["02_other.ipynb"] * 2
    assert (root / "labs/01_a_lab.ipynb").stat().st_mtime_ns == before, "only the wanted lab is built"
    with pytest.raises(UserError, match=r"02_other.ipynb shows the solution line .* of 01_a_lab.py"):
        labs.check(root)


def test_a_lab_of_another_name_is_refused(root: Path) -> None:
    with pytest.raises(UserError, match=r"There is no lab '07'; name one of 01_a_lab"):
        labs.build(root, wanted=("07",))


def test_a_check_of_another_name_is_noticed(root: Path) -> None:
    (root / "solutions/01_a_lab.py").write_text(
        MASTER.replace('"confusion", confusion', '"confusion", check')
    )
    with pytest.raises(UserError, match=r"check.'confusion'. judges 'check'"):
        labs.check(root)


def test_a_solution_that_binds_nothing_is_noticed(root: Path) -> None:
    master = MASTER.replace(MASTER.split("### BEGIN SOLUTION\n")[1].split("\n### END")[0], "print(3)")
    (root / "solutions/01_a_lab.py").write_text(master)
    with pytest.raises(UserError, match="defines no name"):
        labs.check(root)


def test_a_notebook_without_a_master_is_noticed(root: Path) -> None:
    shutil.copy(root / "solutions/01_a_lab.ipynb", root / "labs/02_old.ipynb")
    with pytest.raises(UserError, match=r"02_old\.ipynb in labs: has no master"):
        labs.check(root)


def test_a_cell_that_fails_writes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def execute_second_cell(notebook: NotebookNode, folder: Path) -> NotebookNode:
        return execute(new_notebook(cells=code_of(notebook)[1:2]), folder)  # the first imports PyTorch

    monkeypatch.setattr(labs, "execute", execute_second_cell)
    (root / "solutions/01_a_lab.py").write_text(MASTER.replace("from deepernets import check", "1 / 0"))
    before = (root / "solutions/01_a_lab.ipynb").read_text()
    with pytest.raises(UserError, match="ZeroDivisionError"):
        labs.build(root)
    assert (root / "solutions/01_a_lab.ipynb").read_text() == before


def test_a_folder_without_masters_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There are no masters"):
        labs.build(tmp_path)


def test_the_courses_own_labs_hold() -> None:
    assert len(labs.check(ROOT)) == 2 * len(list((ROOT / "solutions").glob("*.py")))


def test_text_that_came_in_pieces_is_stored_as_one() -> None:
    def said(text: str) -> nbformat.NotebookNode:
        return nbformat.v4.new_output("stream", name="stdout", text=text)

    picture = nbformat.v4.new_output("display_data", data={"text/plain": "a picture"})
    outputs = joined([said("one, "), said("two, "), said("three"), picture, said("four"), picture])
    assert [output.get("text") for output in outputs] == ["one, two, three", None, "four", None]


def _needed(master: Path) -> set[int]:
    """Return the numbers of the labs that a lab says students need."""
    text = " ".join(
        line.removeprefix("#").strip() for line in master.read_text(encoding="utf-8").splitlines()
    )
    needs = re.search(r"\*\*You need\*\*(.*?)\*\*You get\*\*", text)
    assert needs, f"{master.name} does not say what students need and get"
    return {
        int(number)
        for group in re.findall(r"[Ll]abs? (\d+(?:(?:, | and )\d+)*)", needs[1])
        for number in re.findall(r"\d+", group)
    }


def test_the_teaching_plan_has_every_lab_after_those_that_it_needs() -> None:
    rows = re.findall(
        r"^\| (\d+) \|[^|]*\| ([^|]*) \|",
        (ROOT / "book" / "teaching.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    weeks: dict[int, int] = {}
    for week, named in rows:
        for number in re.findall(r"\d+", named):
            weeks.setdefault(int(number), int(week))
    masters = {int(path.name[:2]): path for path in (ROOT / "solutions").glob("[0-9][0-9]_*.py")}
    assert set(weeks) == set(masters)
    for number, master in masters.items():
        for needed in _needed(master):
            assert weeks[needed] <= weeks[number], (
                f"lab {number} needs lab {needed}, which the plan has later"
            )


def _numbers_in(text: str) -> set[float]:
    """Return the numbers that occur in a text; a percentage counts as a share, too."""
    found = [(float(digits.replace(",", "")), percent) for digits, percent in NUMBERS.findall(text)]
    return {number for number, _ in found} | {number / 100 for number, percent in found if percent}


NUMBERS = re.compile(r"(?<![\w.])(\d[\d,]*(?:\.\d+)?)(\s?%)?")


@pytest.mark.parametrize("lab", checks.labs())
def test_a_lab_shows_students_none_of_its_own_answers(lab: str) -> None:
    """Neither the number that an exercise asks for, nor the name that the package gives to the same function."""
    (path,) = (ROOT / "labs").glob(f"{lab[3:]}_*.ipynb")
    text = text_of(nbformat.read(path, as_version=4))
    assert ".or_else(" not in text
    shown = _numbers_in(text)
    for exercise in checks.labs()[lab].values():
        answer = exercise.reference
        if isinstance(answer, int | float) and (answer >= 10 or answer % 1):  # smaller ones occur in any text
            assert not any(abs(number - answer) < 0.002 * answer for number in shown), exercise.name


@pytest.mark.parametrize("master", sorted((ROOT / "solutions").glob("*.py")), ids=lambda path: path.stem)
def test_a_module_that_the_text_calls_by_a_short_name_is_imported(master: Path) -> None:
    text = master.read_text(encoding="utf-8")
    for name in set(re.findall(r"`(nn|F|np)\.", text)):
        assert re.search(rf"^(?:import|from) .*\b{name}$", text, re.MULTILINE), name


def test_a_swapped_or_removed_picture_fails_and_one_of_a_similar_size_does_not(tmp_path: Path) -> None:
    """Five cells draw a picture of 40 × 20 pixels; what is stored of each differs."""
    pictures = {}
    for name, size in {"drawn": (40, 20), "similar": (41, 20), "other": (20, 40)}.items():
        Image.new("1", size).save(stream := io.BytesIO(), "PNG")
        pictures[name] = base64.b64encode(stream.getvalue()).decode()
    code = f"import base64; from IPython.display import Image; Image(base64.b64decode({pictures['drawn']!r}))"
    cells = []
    for name, tags in [
        ("drawn", []), ("similar", []), ("other", []), ("removed", []), ("other", ["nbval-ignore-output"]),
    ]:  # fmt: skip
        data = {"text/plain": "<IPython.core.display.Image object>"}
        data |= {} if name == "removed" else {"image/png": pictures[name]}
        output = nbformat.v4.new_output("execute_result", data, execution_count=1)
        cells.append(nbformat.v4.new_code_cell(code, outputs=[output], execution_count=1))
        cells[-1].metadata["tags"] = tags
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "pictures.ipynb")
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "-q", "-rA"]
    done = subprocess.run(
        [*command, "--nbval", "--nbval-current-env", "pictures.ipynb"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    results = re.findall(r"^(PASSED|FAILED) pictures.ipynb::Cell (\d)", done.stdout, re.MULTILINE)
    passed = [int(number) for result, number in results if result == "PASSED"]
    assert (len(results), passed) == (5, [0, 1]), done.stdout
