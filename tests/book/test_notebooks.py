"""Every chapter has the book's anatomy: headings in order, literal parameters, short cells, no
outputs.
"""

import ast
import re
from pathlib import Path
from statistics import median

import nbformat
import pytest

from diffranet_utils.cli.registry import STUDIES

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
OPENING = ["You will be able to", "Before you start"]
CLOSING = ["Check", "Results", "Exercises", "Limits", "Summary", "What's next", "Further reading"]
TAGS = {"parameters", "hide-input", "hide-output", "solution", "raises-exception"}
LITERALS = {
    "PRESET": "smoke",
    "SEED": 2019,
    "DATA_DIR": "build/data",
    "RESULTS_DIR": "build/results",
}
MAX_LINES = 20

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, 4)


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def prose(path):
    return "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def tagged(path, tag):
    return [cell for cell in code_cells(path) if tag in cell.metadata.get("tags", [])]


def section(path, title):
    return re.split(r"^## ", prose(path).split(f"## {title}\n")[1], flags=re.M)[0]


def test_title_is_a_noun_phrase_after_the_number_of_the_chapter(path):
    first = read(path).cells[0].source
    number = re.match(r"# (?:(\d\d) · )?[^\d\n]+\n", first)
    assert number and number[1] in (None, path.stem[:2])
    assert len(re.findall(r"^# ", prose(path), re.M)) == 1
    lead = first.split("\n", 1)[1]
    assert len(re.findall(r"[.?!](\s|$|\")", lead)) >= 2


def test_at_a_glance_names_time_input_and_output(path):
    box = read(path).cells[1].source
    assert box.startswith(":::{admonition} At a glance")
    assert re.findall(r"\*\*(\w+):\*\*", box) == ["Read", "Run", "Reads", "Writes"]
    assert all(preset in box for preset in ("smoke", "workshop", "full")) or "every preset" in box


def test_sections_stand_in_order(path):
    titles = re.findall(r"^## (.+)$", prose(path), re.M)
    assert titles[:2] == OPENING
    assert titles[-7:] == CLOSING
    assert 3 <= len(titles) - 9 <= 5, "three to five sections between the opening and the checks"


def test_objectives_and_prerequisites(path):
    objectives = re.findall(r"^- ", section(path, OPENING[0]), re.M)
    rows = re.findall(r"^\|", section(path, OPENING[1]), re.M)
    assert 3 <= len(objectives) <= 5
    assert 3 <= len(rows) <= 6, "a head and at most four rows"


def test_parameters_are_literals_and_the_agreed_ones(path):
    (cell,) = tagged(path, "parameters")
    found = {}
    for statement in ast.parse(cell.source).body:
        assert isinstance(statement, ast.Assign) and len(statement.targets) == 1
        found[statement.targets[0].id] = ast.literal_eval(statement.value)
    assert {name: found.get(name) for name in LITERALS} == LITERALS


def test_check_cells_assert_at_least_twice(path):
    shown = [cell for cell in code_cells(path) if "solution" not in cell.metadata.get("tags", [])]
    assert (
        len(
            re.findall(
                r"^\s*assert |testing\.assert_", "\n".join(cell.source for cell in shown), re.M
            )
        )
        >= 2
    )


def test_exercises_have_solutions(path):
    asked = re.findall(r"\*\*Exercise (\d+\.\d)\*\*", prose(path))
    solved = re.findall(r":::\{dropdown\} Solution (\d+\.\d)", prose(path))
    assert 2 <= len(asked) <= 3
    assert asked == solved == sorted(asked)
    assert tagged(path, "solution"), "at least one solution is code, which runs with the tests"


def test_solution_cells_are_named_on_the_pages(path):
    prompts = {
        "code_prompt_hide": "Hide the solution's {type}",
        "code_prompt_show": "Solution: {type}",
    }
    assert all(cell.metadata.get("mystnb") == prompts for cell in tagged(path, "solution"))


def test_cells_are_short(path):
    # Cells that only polish a figure are folded, as those of imports are.
    shown = [
        cell
        for cell in code_cells(path)
        if "hide-input" not in cell.metadata.get("tags", []) and "import " not in cell.source
    ]
    lengths = [len(cell.source.splitlines()) for cell in shown]
    assert max(lengths) <= MAX_LINES
    assert median(lengths) <= 9, "lines of the code cells that are shown"


def test_nothing_is_stored_but_the_source(path):
    notebook = read(path)
    assert all(not cell.outputs and cell.execution_count is None for cell in code_cells(path))
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert {tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])} <= TAGS
    assert path.stat().st_size < 60_000


def test_no_shell_installation_or_absolute_path(path):
    for cell in code_cells(path):
        assert not re.search(r"^\s*[!%]\s*(pip|conda)", cell.source, re.M)
        assert not re.search(r"""["'](/[a-z]+/|~/|[A-Z]:\\)""", cell.source)


def test_every_figure_has_alternative_text(path):
    texts = []
    for cell in code_cells(path):
        made = re.findall(r"plt\.(?:subplots|figure|subplot_mosaic)\(", cell.source)
        shown = re.findall(r"plots\.alt\(\s*[^,]+,\s*([^)]+)", cell.source)
        assert len(made) <= len(shown), "end a cell that draws with plots.alt(fig, text)"
        assert "plt.show" not in cell.source
        texts += shown
    assert texts, "a chapter has a figure"
    assert all(len(text) > 30 for text in texts), "say what the figure shows"


def test_the_chapter_is_in_the_table_of_contents_and_has_a_step(path):
    listed = re.findall(r"notebooks/(\w+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
    assert listed == [name for study in STUDIES for name in study.chapters]
    assert path.stem in [*listed, "_template"]


def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#:]+\.(?:md|ipynb))", prose(path)):
        assert (path.parent / target).exists(), target


def test_citations_and_terms_exist(path):
    keys = re.findall(
        r"^@\w+\{([^,]+),", (ROOT / "book" / "references.bib").read_text(encoding="utf-8"), re.M
    )
    glossary = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    terms = {term.lower() for term in re.findall(r"^(\S.*)\n  \S", glossary, re.M)}
    cited = [
        key.strip()
        for group in re.findall(r"\{cite[^}]*\}`([^`]+)`", prose(path))
        for key in group.split(",")
    ]
    used = re.findall(r"\{term\}`(?:[^`<]*<)?([^`<>]+)>?`", prose(path))
    assert set(cited) <= set(keys)
    assert {" ".join(term.split()).lower() for term in used} <= terms
