"""Pages without code: complete, linked, and citing what exists."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "book").glob("*.md"))
BIBLIOGRAPHY = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")


def text(path):
    return path.read_text(encoding="utf-8")


def listed_files():
    toc = yaml.safe_load(text(ROOT / "_toc.yml"))
    return [toc["root"], *(page["file"] for part in toc["parts"] for page in part["chapters"])]


def test_every_page_is_listed_once():
    files = listed_files()
    assert len(files) == len(set(files))
    assert {f"book/{page.stem}" for page in PAGES} == {
        name for name in files if name.startswith("book/")
    }


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name
)
def test_links_lead_somewhere(page):
    targets = [
        t
        for t in re.findall(r"\]\(([^)\s]+)\)", text(page))
        if "://" not in t and not t.startswith("#")
    ]
    missing = [target for target in targets if not (page.parent / target.split("#")[0]).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_citations_and_terms_exist(page):
    keys = set(re.findall(r"^@\w+\{([^,]+),", BIBLIOGRAPHY, re.M))
    terms = {
        term.lower()
        for term in re.findall(r"^(\S.*)\n  \S", text(ROOT / "book" / "glossary.md"), re.M)
    }
    cited = {
        key.strip()
        for group in re.findall(r"\{cite\}`([^`]+)`", text(page))
        for key in group.split(",")
    }
    used = {
        " ".join(t.split()).lower()
        for t in re.findall(r"\{term\}`(?:[^`<]*<)?([^`<>]+)>?`", text(page))
    }
    assert cited <= keys
    assert used <= terms


def test_references_are_unique_and_their_dois_well_formed():
    keys = re.findall(r"^@\w+\{([^,]+),", BIBLIOGRAPHY, re.M)
    assert len(keys) == len(set(keys))
    dois = re.findall(r"doi = \{([^}]*)\}", BIBLIOGRAPHY)
    assert len(dois) > 20 and len(dois) == len(set(dois))
    assert all(re.fullmatch(r"10\.\d{4,5}/\S+", doi) for doi in dois)


def test_glossary_is_in_order_without_repeats():
    terms = [
        term.lower()
        for term in re.findall(r"^(\S.*)\n  \S", text(ROOT / "book" / "glossary.md"), re.M)
    ]
    assert len(terms) >= 45
    assert terms == sorted(set(terms))


def test_every_module_has_its_place_in_the_api():
    listed = re.findall(r"automodule:: ([\w.]+)", text(ROOT / "book" / "api.md"))
    paths = [
        path for path in (ROOT / "diffranet_utils").rglob("*.py") if not path.stem.startswith("__")
    ]
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths}
    assert len(listed) == len(set(listed))
    assert set(listed) == modules


def test_generated_tables_are_included_where_they_are_promised():
    assert "_headline.md" in text(ROOT / "book" / "intro.md")
    assert all(
        name in text(ROOT / "book" / "instructors.md") for name in ("_run_times.md", "_expected.md")
    )
    assert "_faults.md" in text(ROOT / "book" / "paper_vs_ours.md")


def test_the_plan_for_half_a_day_adds_up():
    plan = text(ROOT / "book" / "instructors.md").split("## Half a day")[1].split("## Two days")[0]
    minutes, part = {}, ""
    for first, number in re.findall(r"^\| ?([^|]*?) ?\|.*\| (\d+) \|$", plan, re.M):
        part = first or part
        minutes[part] = minutes.get(part, 0) + int(number)
    assert minutes == {"welcome": 10, "1": 45, "2": 45, "break": 15, "3": 45, "4": 45}


def test_sections_set_as_reading_exist():
    reading = text(ROOT / "book" / "instructors.md").split("Set as reading")[1].split("\n\n")[0]
    for titles, notebook in re.findall(
        r"([^;]*?)\[[^]]*\]\(\.\./(notebooks/\w+\.ipynb)\)", reading
    ):
        headings = re.findall(r"\"## ([^\\\"]+)", text(ROOT / notebook))
        assert set(re.findall(r"\*([^*]+)\*", titles)) <= set(headings), notebook


def test_pages_load_nothing_from_the_network():
    config = yaml.safe_load(text(ROOT / "_config.yml"))["sphinx"]["config"]
    assert config["mathjax_path"].startswith("mathjax/")
    assert config["nb_ipywidgets_js"] == {}
    css = text(ROOT / "book" / "_static" / "book.css")
    assert "url(" not in css and "@import" not in css
