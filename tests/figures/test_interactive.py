"""The slider: what its HTML holds, whom it excludes, and that it needs nothing from elsewhere."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from diffranet_utils.core.errors import InputError
from diffranet_utils.figures.interactive import MAX_PIXELS, image_slider

VOID = {"img", "input", "br", "meta", "link"}


class Page(HTMLParser):
    """Collects tags with their attributes, checks nesting, and keeps the text of scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.script = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.script += data

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture
def images(rng):
    return [rng.integers(0, 80, (200, 160), dtype=np.uint8) for _ in range(3)]


@pytest.fixture
def html(images):
    return image_slider(
        images, ["a < b", "b", 'c "c"'], "One & all", ["first <1>", "second", "third"]
    ).data


def decoded(source):
    return Image.open(io.BytesIO(base64.b64decode(source.removeprefix("data:image/jpeg;base64,"))))


def test_every_image_has_its_own_words(html):
    page = Page(html)
    assert not page.open, "every element is closed"
    assert [image["alt"] for image in page.all("img")] == ["first <1>", "second", "third"]
    assert [div["data-label"] for div in page.all("div") if "data-label" in div] == [
        "a < b",
        "b",
        'c "c"',
    ]
    assert "One &amp; all" in html


def test_the_slider_is_a_labelled_native_control(html):
    page = Page(html)
    (slider,) = page.all("input")
    assert slider["type"] == "range" and (slider["min"], slider["max"], slider["step"]) == (
        "0",
        "2",
        "1",
    )
    assert [label["for"] for label in page.all("label")] == [slider["id"]]
    (output,) = page.all("output")
    assert output["for"] == slider["id"] and output["aria-live"] == "polite"
    assert "aria-valuetext" in page.script


def test_without_a_script_every_image_shows_and_no_dead_control(html):
    page = Page(html)
    assert not any(
        "hidden" in image or "none" in image.get("style", "") for image in page.all("img")
    )
    (controls,) = [div for div in page.all("div") if "data-controls" in div]
    assert "hidden" in controls


def test_the_page_needs_nothing_from_elsewhere(html):
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[^\"]+", "", html))
    page = Page(html)
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.all("img"))
    assert "src" not in page.all("script")[0]


def test_two_sliders_of_the_same_images_do_not_share_ids(images):
    ids = []
    for _ in range(2):
        page = Page(image_slider(images, "abc", "", "xyz").data)
        ids += [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert page.all("figure")[0]["id"] in page.script
    assert len(ids) == len(set(ids)) == 4


def test_text_takes_the_colour_of_the_theme(html):
    assert not re.search(r"[;\"\s]color:(?!inherit)", html)
    assert '<figcaption style="color:inherit">' in html, (
        "themes give captions a colour that is too pale on a light box"
    )
    assert all("background:white" in image["style"] for image in Page(html).all("img"))


def test_pictures_are_dark_on_white_and_small():
    grey = np.zeros((600, 500), np.uint8)
    grey[:, 250:] = 40
    (image,) = Page(image_slider([grey], ["x"], "", ["x"], limits=(20, 60)).data).all("img")
    picture = np.asarray(decoded(image["src"]))
    assert max(picture.shape) == MAX_PIXELS
    assert picture[:, :100].mean() == pytest.approx(255, abs=1)
    assert picture[:, -100:].mean() == pytest.approx(127.5, abs=2)


def test_a_faint_spot_of_one_pixel_survives(rng):
    image = rng.normal(26, 0.5, (256, 256)).astype(np.uint8)
    image[100, 100] = 32
    (picture,) = Page(image_slider([image], ["x"], "", ["x"], limits=(12, 55)).data).all("img")
    shade = np.asarray(decoded(picture["src"])).astype(float)
    assert np.unravel_index(shade.argmin(), shade.shape) == (100, 100)
    assert shade[100, 100] < np.median(shade) - 25


def test_bad_input_is_named(images):
    with pytest.raises(InputError, match="empty"):
        image_slider([], [], "", [])
    with pytest.raises(InputError, match="3 images, 2 labels, 3 alt_texts"):
        image_slider(images, ["a", "b"], "", ["a", "b", "c"])
