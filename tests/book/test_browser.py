"""The built book in a real browser, without a network: every page, wide and narrow, and what moves
on them.
"""

import ast
import base64
import functools
import re
import threading
import time
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag

import nbformat
import pytest

from tests.book import browser

ROOT = Path(__file__).parents[2]
HTML = ROOT / "build" / "book" / "_build" / "html"
FILES = [path for folder in ("", "book", "notebooks") for path in (HTML / folder).glob("*.html")]
# The first page only leads on to the introduction.
PAGES = sorted(
    str(path.relative_to(HTML))
    for path in FILES
    if 'http-equiv="refresh"' not in path.read_text("utf-8").lower()
)
WIDE, NARROW = 1280, 390
PAPER = 718  # of A4, between the margins that Chromium leaves
MAX_BYTES = 1_500_000
pytestmark = [
    pytest.mark.skipif(not PAGES, reason="no built book: run `make book` first"),
    pytest.mark.skipif(browser.PROGRAM is None, reason="no Chromium: install the package chromium"),
]


class Quiet(SimpleHTTPRequestHandler):
    """A file server that does not print, and serves notebooks as what they are."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".ipynb": "application/json"}

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture(scope="module")
def site():
    """Address of the book under a sub-path of a web server on this machine."""
    handler = functools.partial(Quiet, directory=str(HTML.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{HTML.name}"
        server.shutdown()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with browser.chromium(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("name", PAGES)
def test_page_is_whole_at_this_width(page, site, name, width):
    page.open(f"{site}/{name}", width)
    assert page.faults() == []
    assert page.value("document.documentElement.scrollWidth") <= width
    broken = (
        "[...document.images].filter(i => i.loading !== 'lazy' && (!i.complete || "
        "!i.naturalWidth)).map(i => i.src)"
    )
    assert page.value(broken) == []
    assert (
        page.value(
            "[...document.images].filter(i => !i.hasAttribute('alt')).map(i => i.src.slice(0, 80))"
        )
        == []
    )


def test_sliders_show_another_image(page, site):
    moved = 0
    for name in (
        name for name in PAGES if 'type="range"' in (HTML / name).read_text(encoding="utf-8")
    ):
        page.open(f"{site}/{name}", NARROW)
        shown = """[...document.querySelectorAll('figure[id^=slider]')].map(f => [...f
            .querySelectorAll(
            '[data-label]')].filter(p => p.style.display === 'block').map(p => p.dataset.label))"""
        before = page.value(shown)
        page.value("""document.querySelectorAll('figure[id^=slider] input').forEach(
            r => { r.value = r.max; r.dispatchEvent(new Event('input')); })""")
        after = page.value(shown)
        assert all(len(labels) == 1 for labels in before + after)
        assert all(first != last for first, last in zip(before, after, strict=True))
        moved += len(before)
    assert moved >= 3


def test_search_finds_a_chapter(page, site):
    page.open(f"{site}/search.html?q=mosaic")
    page.wait("document.querySelectorAll('#search-results li').length > 0")
    assert "10_bragg_scattering" in page.value(
        "document.querySelector('#search-results').innerHTML"
    )


@pytest.mark.parametrize("name", ["book/intro.html", "notebooks/10_bragg_scattering.html"])
def test_the_book_opens_from_the_disk(page, name):
    page.open((HTML / name).as_uri())
    page.wait("document.querySelector('h1') !== null")
    assert page.faults() == []


@pytest.mark.parametrize("name", ["book/intro.html", "notebooks/30_texture_features.html"])
def test_both_themes_keep_text_apart_from_its_ground(page, site, name):
    page.open(f"{site}/{name}")
    for theme in ("light", "dark"):
        page.value(f"document.documentElement.dataset.theme = '{theme}'")
        colours = page.value("""(() => {
            const s = getComputedStyle(document.querySelector('main p'));
            return [s.color, getComputedStyle(document.body).backgroundColor]; })()""")
        light = [_luminance(colour) for colour in colours]
        assert (max(light) + 0.05) / (min(light) + 0.05) > 7, (
            theme,
            colours,
        )  # WCAG 2.1, level AAA


def _luminance(colour):
    """Relative luminance of ``rgb(r, g, b)`` (WCAG 2.1)."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    "name", [name for name in PAGES if name.startswith(("book/", "notebooks/"))]
)
def test_nothing_is_cut_off_on_paper(page, site, name):
    page.open(f"{site}/{name}", PAPER)
    page.call("Emulation.setEmulatedMedia", media="print")
    wide = page.value("""[...document.querySelectorAll('.bd-article :is(pre, table, img, svg)')]
        .filter(e =>
        e.scrollWidth > e.clientWidth + 1 || e.getBoundingClientRect().right > innerWidth)
        .map(e => e.outerHTML)""")
    contents = page.value("document.querySelector('#jb-print-toc')?.offsetHeight ?? 0")
    page.call("Emulation.setEmulatedMedia", media="")
    assert [html[:80] for html in wide] == []
    assert contents == 0


def test_a_chapter_prints_on_a_sane_number_of_sheets(page, site):
    page.open(f"{site}/notebooks/10_bragg_scattering.html")
    pdf = base64.b64decode(page.call("Page.printToPDF", printBackground=False)["data"])
    sheets = len(re.findall(rb"/Type\s*/Page\b", pdf))
    assert pdf.startswith(b"%PDF") and 3 <= sheets <= 30


class Links(HTMLParser):
    """Collects the links and the anchors of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Keep href of links, and every id and name."""
        attrs = dict(attrs)
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
        self.anchors |= {attrs[key] for key in ("id", "name") if attrs.get(key)}


@functools.cache
def links_of(path):
    return Links(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", PAGES)
def test_every_internal_link_resolves(name):
    lost = []
    for link in links_of(HTML / name).links:
        if re.match(r"[a-z]+:", link):
            continue
        target, anchor = urldefrag(link)
        path = ((HTML / name).parent / unquote(target)).resolve() if target else HTML / name
        path = path / "index.html" if path.is_dir() else path
        if not path.exists() or (
            anchor and path.suffix == ".html" and unquote(anchor) not in links_of(path).anchors
        ):
            lost.append(link)
    assert not lost


def test_the_api_describes_every_name_once_and_where_it_is_defined():
    described = re.findall(
        r'<dt class="sig[^>]* id="(diffranet_utils\.[\w.]+\.\w+)"',
        (HTML / "book" / "api.html").read_text("utf-8"),
    )
    modules, made, assigned = set(), set(), set()
    for path in (ROOT / "diffranet_utils").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        modules.add(module)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                made.add(f"{module}.{node.name}")
            elif isinstance(node, ast.Assign):
                assigned |= {f"{module}.{getattr(target, 'id', '')}" for target in node.targets}
    assert len(described) == len(set(described))
    at_the_top = {name for name in described if name.rpartition(".")[0] in modules}
    assert made <= at_the_top <= made | assigned


@pytest.mark.parametrize("name", [name for name in PAGES if name.startswith("notebooks/")])
def test_a_chapter_is_light_and_comes_as_a_notebook(name):
    text = (HTML / name).read_text(encoding="utf-8")
    still = re.sub(r'<figure id="slider.*?</figure>', "", text, flags=re.S)
    images = {
        (HTML / name).parent / src for src in re.findall(r'<img[^>]+src="(?!data:)([^"]+)"', text)
    }
    assert len(still.encode()) + sum(path.stat().st_size for path in images) < MAX_BYTES
    download = next(link for link in links_of(HTML / name).links if link.endswith(".ipynb"))
    notebook = nbformat.read(((HTML / name).parent / download).resolve(), 4)
    tags = [tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])]
    assert "parameters" in tags and "injected-parameters" not in tags


def test_a_notebook_is_saved_and_not_shown(page, site, tmp_path):
    name = "notebooks/10_bragg_scattering"
    page.open(f"{site}/{name}.html")
    page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.value("document.querySelector('a.btn-download-source-button').click()")
    saved, end = tmp_path / "10_bragg_scattering.ipynb", time.monotonic() + 20
    while not saved.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert saved.read_bytes() == (HTML / "_sources" / f"{name}.ipynb").read_bytes()
