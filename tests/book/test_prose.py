"""Sentences that lean on a record: each must still stand on its page, and must still be true of the
record.
"""

import inspect
import json
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from diffranet_utils.core import scaling
from diffranet_utils.crystals import disorder
from diffranet_utils.instrument import background, geometry
from diffranet_utils.learning import training
from diffranet_utils.records import provenance
from diffranet_utils.search import bohb
from diffranet_utils.studies.diffranet import claims, crop_tables, presets, variety
from diffranet_utils.studies.diffranet.stations import DIFFRANET
from tests.studies.diffranet.test_claims import CONFUSIONS

ROOT = Path(__file__).parents[2]


def record(chapter, preset=None):
    """A committed record; the sentence is out of reach of a test where there is none."""
    found = provenance.committed_result(chapter, preset)
    return found or pytest.skip(f"no committed record of {chapter} at the size of {preset}")


def value(chapter, key, preset=None):
    return record(chapter, preset)["values"][key]["value"]


def claimed(key):
    return next(claim.value for claim in claims.CLAIMS if claim.key == key)


def bench(name):
    return provenance.benchmark(name)


def words_of(page):
    """Text of a page, or of the Markdown cells of a notebook, on one line."""
    text = (ROOT / page).read_text(encoding="utf-8")
    if page.endswith(".ipynb"):
        cells = (cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")
        text = "\n".join("".join(cell["source"]) for cell in cells)
    return " ".join(text.split())


def quickstart_errors():
    details = record("00_quickstart")["details"]
    gaps = np.abs(np.subtract(details["truth"], details["predicted"]))
    return gaps[gaps > 0]


def slopes():
    """Largest slope of each line of the cost figure of chapter 10, on logarithmic axes."""
    for seconds in bench("simulator")["scaling_s"].values():
        sizes = np.log([float(n) for n in seconds])
        yield np.max(np.diff(np.log(list(seconds.values()))) / np.diff(sizes))


def rungs(column, view):
    rows = record("51_reality_gap")["details"]["ladder"]
    return [
        row[column]["value"] for row in rows if row["rung"].startswith("spots") == (view == "spots")
    ]


def counted_on(station):
    return record("51_reality_gap")["details"]["count_on_stations"][station]["value"]


def chosen_row():
    details = record("51_reality_gap")["details"]
    return next(
        r for r in details["ladder"] if (r["rung"], r["model"]) == tuple(details["chosen"].values())
    )


def far_from_borders():
    """Share right for the images with the fewest and with the most visible spots, for the SVM."""
    rows = record("32_hyperopt_search")["details"]["by_visible"]
    return [rows[0]["svm"]["value"], rows[-1]["svm"]["value"]]


def at_borders(kind):
    """Share right of a method with the weak border where it is, and at higher ones, as chapter 12
    works it out.
    """
    rows = record("32_hyperopt_search")["details"]["by_visible"]
    for border in (row["low"] for row in rows[1:6]):
        kept = [row[kind] for row in rows if row["low"] == 0 or row["low"] >= border]
        yield sum(entry["value"] * entry["n"] for entry in kept) / sum(entry["n"] for entry in kept)


def weak_errors(confusion):
    """Weak images taken for no-crystal, and the other way round."""
    return confusion[2][1] + confusion[1][2]


def weak_errors_over_the_papers():
    """Ours over the paper's: forest, machine, both together."""
    ours = np.array(
        [
            weak_errors(record("32_hyperopt_search")["details"][kind]["confusion"])
            for kind in ("rf", "svm")
        ]
    )
    theirs = np.array([weak_errors(CONFUSIONS[f"{kind}_test_accuracy"]) for kind in ("rf", "svm")])
    return [*ours / theirs, ours.sum() / theirs.sum()]


def same_weak_errors_as_the_paper():
    forest, machine, both = weak_errors_over_the_papers()
    return abs(forest - 3) < 0.5 and abs(1 / machine - 6) < 0.5 and abs(both - 1) < 0.1


def machine_errors_at_the_upper_borders():
    """Share of the machine's errors in the bins on both sides of the good and the strong border."""
    rows = record("32_hyperopt_search")["details"]["by_visible"]
    wrong = [(row, (1 - row["svm"]["value"]) * row["svm"]["n"]) for row in rows]
    upper = [
        n
        for row, n in wrong
        if {row["low"], row["high"]} & {DIFFRANET.borders.good, DIFFRANET.borders.strong}
    ]
    return sum(upper) / sum(n for _, n in wrong)


def disorder_of_the_largest():
    """Light that the disorder of the largest crystal would add, over that of water and air."""
    beam, cell = (
        DIFFRANET.beam(DIFFRANET.photons, DIFFRANET.wavelength_A),
        DIFFRANET.crystal.cell[:3],
    )
    one = disorder.disorder_photons(
        beam, DIFFRANET.detector, DIFFRANET.crystal, disorder.DISORDER
    ).mean()
    cells = (DIFFRANET.stream.edge_max_um * 1e4) ** 3 / np.prod(cell)
    return (
        cells * one / background.expected_photons(beam, DIFFRANET.detector, DIFFRANET.layers).mean()
    )


def spacing_px(edge_A):
    """Pixels between neighbouring spots along a cell edge, near the beam."""
    return (
        DIFFRANET.wavelength_A
        / edge_A
        * DIFFRANET.detector.distance_mm
        / DIFFRANET.detector.pixel_mm
    )


def polarised_loss():
    """What a horizontally polarised beam loses left and right, at the middle of the detector's
    edges.
    """
    unpolarised = geometry.polarization(DIFFRANET.detector)[DIFFRANET.detector.n_slow // 2, -1]
    return 1 - (2 * unpolarised - 1)


def lowest_beside_a_border():
    rows = record("32_hyperopt_search")["details"]["by_visible"]
    worst = min(rows, key=lambda row: row["svm"]["value"])
    borders = vars(presets.get("full").dataset.experiment.borders).values()
    return any(worst["low"] <= border <= worst["high"] for border in borders)


def apart(higher, lower):
    """Whether the interval of one value of chapter 32 lies above that of another."""
    entries = record("32_hyperopt_search")["values"]
    return entries[higher]["low"] > entries[lower]["high"]


def trials_of(kind):
    rows = record("32_hyperopt_search")["details"]["trials"]
    return [trial for trial in rows if trial["config"]["classifier"] == kind]


def first_forest_is_the_best():
    scores = {
        trial["trial"]: trial["accuracy"] for trial in trials_of("rf") if trial["status"] == "ok"
    }
    return (len(trials_of("rf")), len(trials_of("svm")), max(scores, key=scores.get)) == (
        33,
        117,
        0,
    )


def lead_of_the_machine():
    """By how much it is ahead on test images, over the scatter of the forest's seeds and over what
    peeking gains.
    """
    details = record("32_hyperopt_search")["details"]
    lead = value("32_hyperopt_search", "svm_test_accuracy") - value(
        "32_hyperopt_search", "rf_test_accuracy"
    )
    peeked = details["peeking"]["peeked"] - details["peeking"]["honest"]
    return lead / max(np.ptp(details["seeds"]["rf"]["accuracies"]), peeked)


def strong_called_no_crystal(kind):
    return record("32_hyperopt_search")["details"][kind]["confusion"][4][1]


def looks(method, label):
    """Share of the attention on spots, share of the pixels, and share on the turned mask, per image
    of a class.
    """
    rows = record("40_deepfreak", "workshop")["details"]["attention"]
    return np.array(
        [
            (r["share"], r["area"], r["turned"])
            for r in rows
            if (r["method"], r["label"]) == (method, label)
        ]
    )


def gathers(method, label):
    share, area, turned = looks(method, label).mean(axis=0)
    return share > 1.4 * area and turned > 0.8 * share


def above(method, label):
    share, _, turned = looks(method, label).T
    return int((share > turned).sum()), len(share)


def fixed_sample():
    batch = inspect.signature(training._refresh_statistics).parameters["batch_size"].default
    return training.Settings().n_statistics, batch


def blind_rates():
    runs = record("41_bohb_search", "workshop")["details"]["random_runs"]
    return sorted(run["config"]["learning_rate"] for run in runs)


def gain(variant):
    return record("40_deepfreak", "workshop")["values"][f"gain_of_{variant}"]


def hits_of(variant):
    rows = record("40_deepfreak", "workshop")["details"]["study"]
    return [row["hit_accuracy"]["value"] for row in rows if row["variant"] == variant]


def inside_the_best(share):
    low, high = next(c for c in claims.CLAIMS if c.key == "best_real_accuracy").interval()
    return low <= share <= high


SENTENCES = [
    ("notebooks/00_quickstart.ipynb", "Mistakes sit mostly beside the diagonal",
     lambda: (quickstart_errors() == 1).mean() > 0.5),
    ("notebooks/00_quickstart.ipynb", "The intervals are wide.",
     lambda: all(
         entry["high"] - entry["low"] > 0.1 for entry in record("00_quickstart")["values"].values()
     )),
    ("notebooks/10_bragg_scattering.ipynb", "More domains cost in proportion at most",
    lambda: max(slopes()) < 1.1),
    ("notebooks/10_bragg_scattering.ipynb", "Half of all light still falls on a small share of "
    "the lit pixels.",
     lambda: all(row["pixels_with_half"] < 0.12 * row["lit_pixels"] for row in
                 record("10_bragg_scattering")["details"]["domains"])),
    ("notebooks/11_background_and_detector.ipynb", "The points lie on lines that were not fitted",
     lambda: value("11_background_and_detector", "largest_gap_to_closed_form") < 2),
    ("notebooks/11_background_and_detector.ipynb", "Air wins, though fewer of its molecules are "
    "in the beam.",
     lambda: value("11_background_and_detector", "mean_air_photons")
     > value("11_background_and_detector", "mean_water_photons")),
    ("notebooks/11_background_and_detector.ipynb", "for the largest crystals add more than half "
    "as much light again",
     lambda: 0.5 < disorder_of_the_largest() < 0.75),
    ("notebooks/11_background_and_detector.ipynb", "dimmer left and right than above and below by "
    "up to a quarter",
     lambda: 0.2 < polarised_loss() < 0.25),
    ("notebooks/12_five_classes.ipynb", "A higher border helps the forest.",
     lambda: max(at_borders("rf")) - next(at_borders("rf")) > 0.005),
    ("notebooks/12_five_classes.ipynb", "It helps the machine hardly at all",
     lambda: max(at_borders("svm")) - next(at_borders("svm")) < 0.002),
    ("notebooks/12_five_classes.ipynb", "most of its errors lie at the other two borders",
     lambda: machine_errors_at_the_upper_borders() > 0.6),
    ("notebooks/12_five_classes.ipynb", "does so three times as often as the paper's, our machine "
    "a sixth as often",
     same_weak_errors_as_the_paper),
    ("book/paper_vs_ours.md", "(the forest three times as often, the machine a sixth)",
    same_weak_errors_as_the_paper),
    ("notebooks/12_five_classes.ipynb", "here the machine is ahead of the forest, at every border "
    "of the table",
     lambda: all(svm > rf for svm, rf in zip(at_borders("svm"), at_borders("rf"), strict=True))),
    ("notebooks/12_five_classes.ipynb", "in the paper the forest is ahead of the machine",
     lambda: claimed("rf_test_accuracy") > claimed("svm_test_accuracy")),
    ("notebooks/12_five_classes.ipynb", "neighbours along its longest edges stand two to three "
    "pixels apart",
     lambda: all(2 < spacing_px(edge) < 3.5 for edge in DIFFRANET.crystal.cell[1:3])),
    ("notebooks/20_dataset.ipynb", "Hundreds of core-hours are a day on a large workstation",
     lambda: 100 < scaling.cost(25_000_000, bench("dataset")["images_per_second"]["1"],
     262_159)["core_hours"] < 1000),
    ("notebooks/31_sift_bag_of_words.ipynb", "Word 7 of one and word 7 of the other then have "
    "nothing to do",
     lambda: value("31_sift_bag_of_words", "separate_vocabularies_accuracy")
     < value("31_sift_bag_of_words", "sift_validation_accuracy") - 0.05),
    ("notebooks/32_hyperopt_search.ipynb", "Far from the lines, with enough images to see it, "
    "hardly one is wrong.",
     lambda: min(far_from_borders()) > 0.99),
    ("notebooks/32_hyperopt_search.ipynb", "They fail beside the two upper lines, where one spot "
    "more or less changes",
     lowest_beside_a_border),
    ("notebooks/32_hyperopt_search.ipynb", "The machine has no randomness, so its seeds agree.",
     lambda: len(set(record("32_hyperopt_search")["details"]["seeds"]["svm"]["accuracies"])) == 1),
    ("notebooks/32_hyperopt_search.ipynb", "At full size a learned classifier has to earn its "
    "place beside it",
     lambda: min(value("32_hyperopt_search", f"{kind}_test_accuracy") for kind in ("rf", "svm"))
     > value("32_hyperopt_search", "spot_count_test_accuracy")),
    ("notebooks/32_hyperopt_search.ipynb", "on hit or miss the rule beats the forest (in all "
    "three the intervals",
     lambda: apart("svm_test_accuracy", "spot_count_test_accuracy")
     and apart("svm_hit_accuracy", "spot_count_hit_accuracy") and apart("spot_count_hit_accuracy",
     "rf_hit_accuracy")),
    ("notebooks/32_hyperopt_search.ipynb", "In five classes the intervals of forest and rule "
    "overlap",
     lambda: not any(apart(f"{a}_test_accuracy", f"{b}_test_accuracy")
                     for a, b in (("rf", "spot_count"), ("spot_count", "rf")))),
    ("notebooks/32_hyperopt_search.ipynb", "The machine is ahead, by far more than the forest's "
    "seeds scatter and than",
     lambda: lead_of_the_machine() > 4),
    ("notebooks/32_hyperopt_search.ipynb", "In the paper it is the other way round",
     lambda: claimed("rf_test_accuracy") > claimed("svm_test_accuracy")),
    ("notebooks/32_hyperopt_search.ipynb", "gave the forest 33 of its 150 trials and found "
    "nothing better",
     first_forest_is_the_best),
    ("notebooks/32_hyperopt_search.ipynb", "gets 98.00 % of the validation images right, this one "
    "97.75 %",
     lambda: (value("30_texture_features", "glcm_all_accuracy"),
     value("32_hyperopt_search", "rf_validation_accuracy"))
     == (0.98, 0.9775)),
    ("notebooks/32_hyperopt_search.ipynb", "Six strong images are called no-crystal",
     lambda: (strong_called_no_crystal("svm"), strong_called_no_crystal("rf")) == (6, 0)),
    ("notebooks/41_bohb_search.ipynb", "In the record of the workshop size BOHB ended ahead",
     lambda: value("41_bohb_search", "bohb_validation_accuracy", "workshop")
     > value("41_bohb_search", "random_validation_accuracy", "workshop")),
    ("notebooks/41_bohb_search.ipynb", "its evaluations were too few for one, and none was "
    "proposed by it",
     lambda: not any(run["model_based"] for run in record("41_bohb_search",
     "workshop")["details"]["runs"])),
    ("notebooks/41_bohb_search.ipynb", "HpBandSter gives the second bracket 9 configurations",
     lambda: bohb.brackets(bohb.SearchSettings(1, 27, 4))[1][0] == (9, 3)),
    ("notebooks/41_bohb_search.ipynb", "seventeen looks and random search four, two of these at "
    "rates of 0.05 and 4",
     lambda: value("41_bohb_search", "bohb_evaluations",
     "workshop") == 17 and len(blind_rates()) == 4
     and np.allclose(blind_rates()[2:], (0.05, 4), rtol=0.02)),
    ("notebooks/40_deepfreak.ipynb", "scaling to 224 pixels costs most by far",
     lambda: gain("224_pixels")["high"] < -0.15),
    ("notebooks/40_deepfreak.ipynb", "is right as often as one that calls every image a miss",
     lambda: max(hits_of("224_pixels")) < 0.45),
    ("notebooks/40_deepfreak.ipynb", "Of the other two changes, three seeds of this size cannot "
    "say",
     lambda: all(gain(name)["low"] < 0 < gain(name)["high"] for name in ("scalar_mean",
     "turned_images"))),
    ("notebooks/40_deepfreak.ipynb", "the spots of good and strong images get far more attention "
    "than their area",
     lambda: all(gathers(method, label) for method in ("Grad-CAM", "SmoothGrad") for label in (4,
     5))),
    ("notebooks/40_deepfreak.ipynb", "there in all twelve of these images. On weak images",
     lambda: all([above(method, k) for k in (4, 5)] == [(9, 9), (3, 3)] for method in ("Grad-CAM",
     "SmoothGrad"))),
    ("notebooks/40_deepfreak.ipynb", "nothing is left: about half are above",
     lambda: all(5 <= above(method, 3)[0] <= 7 and above(method,
     3)[1] == 12 for method in ("Grad-CAM", "SmoothGrad"))),
    ("notebooks/40_deepfreak.ipynb", "64 of them in batches of 16",
    lambda: fixed_sample() == (64, 16)),
    ("notebooks/51_reality_gap.ipynb", "full 65 min (2 cores)",
     lambda: 60 <= record("51_reality_gap")["seconds"] / 60 <= 70),
    ("notebooks/60_scorecard.ipynb", "gets nearly every real crop right",
     lambda: 0.9 < next(row["real"]["value"]
                        for row in record("51_reality_gap")["details"]["ladder"]
                        if (row["rung"], row["model"]) == ("plain", "SVM")) < 1),
    ("book/paper_vs_ours.md", "of our images none changed",
     lambda: bench("faults")["values"]["length_wrong"]["value"] == 0),
    ("notebooks/51_reality_gap.ipynb", "the right features make it easy even from the plain "
    "station",
     lambda: min(rungs("check", "spots")) > 0.98 and max(rungs("check", "texture")) < 0.9),
    ("notebooks/51_reality_gap.ipynb", "every texture fails about one crop in seven or more",
     lambda: max(rungs("check", "texture")) < 0.87),
    ("notebooks/51_reality_gap.ipynb", "the count gets 88 % (balanced), and the forest every crop "
    "right",
     lambda: round(100 * counted_on("diffranet")) == 88
     and chosen_row()["stations"]["diffranet"]["value"] == 1),
    ("notebooks/51_reality_gap.ipynb", "of our nine only two are misses",
     lambda: record("51_reality_gap")["details"]["frame_hits"].count(False) == 2),
    ("notebooks/51_reality_gap.ipynb", "textures too get all test crops right on several rungs, "
    "and on the next",
     lambda: sum(v == 1.0 for v in rungs("real", "texture")) > 3 and min(rungs("real",
     "texture")) == 0.5),
    ("notebooks/60_scorecard.ipynb", "It holds three of the paper's other five tuned accuracies, "
    "90.1, 91.1 and 91.2 %",
     lambda: [f"{100 * share:.1f}" for share in sorted(claims.TUNED_REAL) if inside_the_best(share)]
     == ["90.1", "91.1", "91.2"] and len(claims.TUNED_REAL) == 5),
    ("notebooks/60_scorecard.ipynb", "of two samples of one size whose intervals just touch, $p$ "
    "is already below 0.01",
     lambda: 2 * norm.sf(norm.isf(0.025) * 2**0.5) < 0.01),
    ("book/stage1.md", "The classes begin at 50, 700 and 2,500 visible spots",
     lambda: tuple(vars(DIFFRANET.borders).values()) == (50, 700, 2500)),
    ("book/paper_vs_ours.md", "50 visible spots in the data set, 15 for all crops of",
     lambda: presets.get("full").dataset.experiment.borders.weak == 50
     and {station.borders.weak for station in crop_tables.HELD_OUT.values()}
     == {variety.FEW_SPOTS.weak} == {15}),
    ("book/paper_vs_ours.md", "the first 30 % of the trials of our searches",
     lambda: all(p.ladder.share_tried == 0.3 for p in presets.PRESETS.values())),
    ("book/intro.md", "the best forest and the best SVM gave every crop of nine frames one and "
    "the same "
     "answer",
     lambda: record("51_reality_gap")["details"]["n_frames"] == 9
     and all(len({label > 2 for label in labels}) == 1 for model, labels in
             record("50_real_frames")["details"]["crop_labels"].items() if "count" not in model)),
    ("book/intro.md", "a model trained on simulations alone sorts all nine",
     lambda: value("51_reality_gap", "screener_real_frame_accuracy") == 1),
    ("book/intro.md", "a plain count of spots that has learned nothing",
     lambda: value("51_reality_gap", "peak_count_real_frame_accuracy")
     >= max(value("51_reality_gap", key) for key in ("screener_real_frame_accuracy",
     "best_real_accuracy"))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("page", "sentence", "holds"), SENTENCES, ids=[words[:40] for _, words, _ in SENTENCES]
)
def test_sentence_stands_and_holds(page, sentence, holds):
    assert sentence in words_of(page), "the sentence has changed: change its test too"
    assert holds(), "the record no longer says so: change the sentence"


def test_every_reference_is_cited():
    keys = set(
        re.findall(
            r"^@\w+\{([^,]+),", (ROOT / "book" / "references.bib").read_text(encoding="utf-8"), re.M
        )
    )
    pages = [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
    text = "\n".join(words_of(str(page.relative_to(ROOT))) for page in pages)
    cited = {
        key.strip() for group in re.findall(r"\{cite\}`([^`]+)`", text) for key in group.split(",")
    }
    assert keys - cited == set()
