"""Draw one simulated image of each class into book/figures/classes.png: ``python
tools/class_figure.py``.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from diffranet_utils.core.files import write_bytes
from diffranet_utils.figures import plots
from diffranet_utils.studies.diffranet import shots
from diffranet_utils.studies.diffranet.labels import CLASS_COLORS, Label
from diffranet_utils.studies.diffranet.stations import DIFFRANET

TARGET = Path(__file__).resolve().parent.parent / "book" / "figures" / "classes.png"
ZOOM = (slice(250, 378), slice(120, 248))
PULSE = (0.8e12, 1.5e12)  # photons of a usual pulse
GREY_RANGE = 24  # of an enlarged part, from light to dark


def one_of_each(seed=2019):
    """Simulate shots until every class has come up once, at a usual pulse energy and well inside
    its borders.

    Returns
    -------
    dict of ShotImage
        By class, in the order of the classes.
    """
    rng, found = np.random.default_rng(seed), {}
    while len(found) < len(Label):
        drawn = shots.sample_shot(rng, DIFFRANET)
        if drawn.photons and not PULSE[0] < drawn.photons < PULSE[1]:
            continue
        shot = shots.render_shot(drawn, DIFFRANET)
        if shot.label != Label.WEAK or shot.truth["n_visible"] > 300:
            found.setdefault(shot.label, shot)
    return {label: found[label] for label in Label}


def enlarged(image):
    """The part to enlarge, its background moved to light grey and its contrast raised."""
    part = image[ZOOM].astype(float)
    return np.clip((part - np.median(part) + GREY_RANGE / 4) * 255 / GREY_RANGE, 0, 255).astype(
        np.uint8
    )


def main():
    """Write the figure: whole images above, a part of each enlarged below."""
    fig, axes = plt.subplots(2, 5, figsize=(10, 4.3), dpi=110)
    for (whole, part), (label, shot) in zip(axes.T, one_of_each().items(), strict=True):
        plots.show_image(whole, shot.image, label.title)
        whole.add_patch(
            plt.Rectangle(
                (ZOOM[1].start, ZOOM[0].start), 128, 128, fill=False, color="black", linewidth=0.8
            )
        )
        whole.spines[:].set(visible=True, color=CLASS_COLORS[label.title], linewidth=3)
        plots.show_image(part, enlarged(shot.image), vmax=255)
    write_bytes(TARGET, plots.figure_png(fig))


if __name__ == "__main__":
    main()
