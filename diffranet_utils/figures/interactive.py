"""A slider over a few images that works in a static page: no kernel, no network, a few lines of
JavaScript.
"""

import base64
import hashlib
import html
import io
import itertools

import numpy as np
from PIL import Image

from diffranet_utils.core.errors import require
from diffranet_utils.figures.plots import IMAGE_MAX

MAX_PIXELS = 256  # longer images are reduced to this edge
JPEG_QUALITY = 90  # single-pixel spots and the noise between them survive
PROMPT = "Move the slider, by mouse or with the arrow keys:"
_numbers = itertools.count(1)

PAGE = """
<figure id="{name}" style="margin:1em 0;max-width:34em">
<div hidden data-controls><label for="{name}-range">{prompt}</label>
<input type="range" id="{name}-range" min="0" max="{last}" step="1" value="0"
 style="width:100%;accent-color:#0072B2">
<output for="{name}-range" aria-live="polite" style="display:block;font-weight:bold"></output></div>
<div style="display:flex;flex-wrap:wrap;gap:0.5em">{pictures}</div>
<figcaption style="color:inherit">{caption}</figcaption>
</figure>
<script>(function () {{
  const figure = document.getElementById("{name}");
  const range = figure.querySelector("input"), output = figure.querySelector("output");
  const pictures = figure.querySelectorAll("[data-label]");
  function show() {{
    pictures.forEach((picture, k) => {{
      picture.style.display = k === Number(range.value) ? "block" : "none";
    }});
    output.textContent = pictures[range.value].dataset.label;
    range.setAttribute("aria-valuetext", output.textContent);
    figure.querySelectorAll("[data-small]").forEach((words) => {{ words.style.display = "none"; }});
  }}
  pictures.forEach((picture) => {{
    picture.style.flex = "1 0 100%"; picture.querySelector("img").style.width = "100%";
  }});
  figure.querySelector("[data-controls]").hidden = false;
  range.addEventListener("input", show);
  show();
}})();</script>
"""
PICTURE = """<div data-label="{label}">
<img alt="{alt}" src="data:image/jpeg;base64,{data}"
 style="background:white;max-width:100%;height:auto">
<small data-small style="display:block">{label}</small></div>"""


def image_slider(images8bit, labels, caption, alt_texts, prompt=PROMPT, limits=(0, IMAGE_MAX)):
    """Show one of several images at a time, chosen with a slider.

    The page holds everything: the images as JPEG, and a script of a dozen lines. Where scripts do
    not run, all images stand side by side with their labels.

    Parameters
    ----------
    images8bit : sequence of ndarray, shape (n_slow, n_fast), uint8
        Square roots of counts, drawn dark on white as by `plots.show_image`; reduced to 256 pixels
        if larger.
    labels : sequence of str
        One line for each image, shown above it.
    caption : str
        What the figure is about.
    alt_texts : sequence of str
        One for each image, for readers who cannot see it.
    prompt : str
        Label of the slider.
    limits : tuple of float
        Grey values drawn white and black.

    Returns
    -------
    IPython.display.HTML

    Raises
    ------
    InputError
        If there is no image, or not one label and one alternative text for each.
    """
    from IPython.display import HTML

    require(len(images8bit) > 0, "images8bit is empty: give one image or more.")
    counts = len(images8bit), len(labels), len(alt_texts)
    require(
        len(set(counts)) == 1,
        "{} images, {} labels, {} alt_texts: give as many of each.".format(*counts),
    )
    coded = [base64.b64encode(_jpeg(image, limits)).decode() for image in images8bit]
    pictures = [
        PICTURE.format(label=html.escape(label), alt=html.escape(alt), data=data)
        for label, alt, data in zip(labels, alt_texts, coded, strict=True)
    ]
    # The number keeps two sliders of one page apart, the digest those of two chapters.
    name = f"slider-{hashlib.sha256(''.join(coded).encode()).hexdigest()[:8]}-{next(_numbers)}"
    words = {"prompt": html.escape(prompt), "caption": html.escape(caption), "last": len(coded) - 1}
    return HTML(PAGE.format(name=name, pictures="\n".join(pictures), **words))


def _jpeg(image8bit, limits):
    """Bytes of an image, dark on white."""
    low, high = limits
    shade = 255 * (1 - np.clip((np.asarray(image8bit, dtype=float) - low) / (high - low), 0, 1))
    picture = Image.fromarray(np.round(shade).astype(np.uint8))
    picture.thumbnail((MAX_PIXELS, MAX_PIXELS))
    buffer = io.BytesIO()
    picture.save(buffer, "jpeg", quality=JPEG_QUALITY, optimize=True)
    return buffer.getvalue()
