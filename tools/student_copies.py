"""Write the notebooks without their solutions into ``student/``, for a class: `make student`.

JupyterLab shows plain Markdown only, so terms become words, citations names and years, and boxes
headed paragraphs.
"""

import re
from functools import cache
from pathlib import Path

import nbformat
from pybtex.database import parse_file
from pybtex.richtext import Text

ROOT = Path(__file__).resolve().parent.parent
SOLUTION = re.compile(r"^:::\{dropdown\} Solution.*?^:::\n?", re.M | re.S)
BOX = re.compile(r"^:::\{[\w-]+\} *([^\n]*)\n(?::\w+:[^\n]*\n)*(.*?)^:::$", re.M | re.S)
ROLE = re.compile(r"\{(\w+)(?::\w+)?\}`([^`<]*?)(?:\s*<[^`>]*>)?`")


def without_solutions(notebook):
    """Drop the cells tagged as solutions, and their explanations from the text; make the rest plain
    Markdown.
    """
    cells = [cell for cell in notebook.cells if "solution" not in cell.metadata.get("tags", [])]
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = plain_markdown(SOLUTION.sub("", cell.source)).strip("\n")
    notebook.cells = [cell for cell in cells if cell.source]
    return notebook


def plain_markdown(text):
    """Markdown without directives and roles, which only the built pages understand."""
    return ROLE.sub(_plain_role, BOX.sub(r"**\1**\n\n\2", text))


def _plain_role(match):
    role, words = match.groups()
    if role == "cite":
        return "[" + "; ".join(name_and_year(key.strip()) for key in words.split(",")) + "]"
    return f"`{words}`" if role == "func" else words


def name_and_year(key):
    """A reference as in ``Souza et al. 2019``; two authors are both named."""
    entry = _references().entries[key]
    last_names = [
        " ".join(person.prelast_names + person.last_names) for person in entry.persons["author"]
    ]
    names = [str(Text.from_latex(name)) for name in last_names]
    who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
    return f"{who} {entry.fields['year']}"


@cache
def _references():
    return parse_file(str(ROOT / "book" / "references.bib"))


def write_copies(folder):
    """Write every chapter into `folder`, except over a copy that differs, and return the names of
    those kept.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of str
        Copies that somebody may have worked in, or that an older book made.
    """
    folder.mkdir(exist_ok=True)
    kept = []
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        text = nbformat.writes(without_solutions(nbformat.read(path, 4))) + "\n"
        copy = folder / path.name
        if copy.exists() and copy.read_text(encoding="utf-8") != text:
            kept.append(path.name)
        else:
            copy.write_text(text, encoding="utf-8")
    return kept


def main():
    """Copy every chapter; the folder lies beside ``notebooks``, so that relative paths hold."""
    folder = ROOT / "student"
    kept = write_copies(folder)
    print(
        f"The notebooks without solutions are in {folder}; open them with: make lab FOLDER=student"
    )
    if kept:
        print(f"Kept as they are, for they differ from fresh copies: {', '.join(kept)}")
        print("To have them fresh, move these away and run make student again.")


if __name__ == "__main__":
    main()
