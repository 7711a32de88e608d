"""Every number of the records beside the paper's: chapter 60, and the tables of the book and the
README.
"""

from pathlib import Path

import pandas as pd

from diffranet_utils.core.errors import DiffranetError
from diffranet_utils.core.files import read_json
from diffranet_utils.core.fingerprint import code_fingerprint
from diffranet_utils.records import metrics
from diffranet_utils.records.entries import MISSING, NO_CLAIM, format_entry
from diffranet_utils.records.provenance import COMMITTED, ROOT, benchmark, committed_result
from diffranet_utils.records.tables import claim_entry, format_claim
from diffranet_utils.studies.diffranet import claims
from diffranet_utils.studies.diffranet.classroom import expected_table
from diffranet_utils.studies.diffranet.remarks import remark, rows_beside
from diffranet_utils.studies.diffranet.study import CHAPTERS

README_MARKS = ("<!-- results:start -->", "<!-- results:end -->")
FAULT_RECORDS = (
    ("31_sift_bag_of_words", "full"),
    ("40_deepfreak", "workshop"),
)  # they measure a fault themselves
HEADLINE = ("images_per_second", "rf_test_accuracy", "svm_test_accuracy", "deepfreak_test_accuracy")
TABLE_HEAD = ("| number | the paper | this project | preset |", "|---|---|---|---|")
FULL_SIZE = (
    "full",
    "overnight",
    "workshop",
)  # presets whose committed records the README may quote, best first


def load_records(folder, chapters=CHAPTERS):
    """All records of a folder by chapter, in the order of the book; chapters without one are left
    out.

    Parameters
    ----------
    folder : path-like
    chapters : sequence of str

    Raises
    ------
    DiffranetError
        If a record cannot be read.
    """
    paths = {name: Path(folder) / f"{name}.json" for name in chapters if name != "60_scorecard"}
    return {name: read_json(path) for name, path in paths.items() if path.exists()}


def compare(claim, ours, committed):
    """One row of the scorecard.

    Parameters
    ----------
    claim : study.Claim
    ours, committed : dict of dict
        Records by chapter.

    Returns
    -------
    dict
        ``key``, ``title``, ``chapter``, ``source``; ``ours``, ``full_size`` and ``paper``, each an
        entry of a record or None; ``remarks`` on ours and on the full-size one; ``verdict`` of ours
        against the paper.
    """
    entries = [_entry(records, claim) for records in (ours, committed)]
    paper = claim_entry(claim)
    return {
        "key": claim.key,
        "title": claim.heading,
        "chapter": claim.chapter,
        "source": claim.source,
        "ours": entries[0],
        "full_size": entries[1],
        "paper": paper,
        "remarks": [remark(records, claim) for records in (ours, committed)],
        "verdict": verdict(entries[0], paper),
    }


def verdict(ours, paper):
    """Say where a share lies against the paper's: below, above, or with overlapping intervals.

    Parameters
    ----------
    ours, paper : dict or None
        Entries of a record.

    Returns
    -------
    str
        ``not yet measured``, ``below``, ``intervals overlap`` or ``above``. Overlap is no proof of
        equality.
    """
    if ours is None or ours.get("value") is None:
        return MISSING
    low, high = (ours.get(end, ours["value"]) for end in ("low", "high"))
    if high < paper.get("low", paper["value"]):
        return "below"
    return "above" if low > paper.get("high", paper["value"]) else "intervals overlap"


def describe(record):
    """How a record came about, for the table of runs."""
    keys = ("chapter", "preset", "seed", "seconds", "commit", "device")
    return {key: record.get(key) for key in keys} | {
        "stale": record.get("code") != code_fingerprint()
    }


def scorecard_table(rows):
    """The scorecard in words.

    Parameters
    ----------
    rows : list of dict
        As made by `compare`.

    Returns
    -------
    DataFrame
        One row per number of the paper.
    """
    columns = {
        "this run": [format_entry(row["ours"]) + row["remarks"][0] for row in rows],
        "our full-size record": [
            format_entry(row["full_size"]) + row["remarks"][1] for row in rows
        ],
        "the paper": [format_entry(row["paper"]) for row in rows],
        "this run against the paper": [row["verdict"] for row in rows],
    }
    return pd.DataFrame(columns, index=pd.Index([row["title"] for row in rows], name="number"))


def page_tables(results_dir):
    """The generated Markdown that pages of the book include.

    Parameters
    ----------
    results_dir : path-like
        Records of this build.

    Returns
    -------
    dict of str
        ``headline``: our best numbers, from the committed records. ``run_times``: seconds of every
        chapter when the smoke book was last timed. ``faults``: what faults of the original code
        cost. ``expected``: what a class should see, from this build. ``spot_finders``: what other
        programs find on the same frames.
    """
    return {
        "headline": headline_table(),
        "expected": expected_table(load_records(results_dir)),
        "run_times": run_times_table(benchmark("book")),
        "faults": faults_table(),
        "spot_finders": spot_finders_table(benchmark("spot_finders")),
    }


def spot_finders_table(timing):
    """What each program finds on the same simulated frames.

    Parameters
    ----------
    timing : dict or None
        The record ``results/bench/spot_finders.json``, which ``benchmarks/bench_spot_finders.py``
        writes.

    Returns
    -------
    str
        A Markdown table with the number of frames and visible spots below it.
    """
    if timing is None:
        return "No record yet: run `python benchmarks/bench_spot_finders.py`."
    rows = [
        f"| `{name}` | {row['found']:,}"
        f" | {format_entry(row['right']) if row['right'] else NO_CLAIM}"
        f" | {format_entry(row['of_the_visible'])} | {row['most_on_an_empty_frame']}"
        f" | {1e3 * row['seconds_a_frame']:.0f} ms |"
        for name, row in timing["programs"].items()
    ]
    head = "| program | spots | right | of the visible | most on an empty frame |"
    size = (
        f"{timing['n_frames']} simulated frames, {timing['n_empty']} of them without a visible "
        f"spot, {timing['n_visible']:,} visible spots in all; a spot is right within "
        f"{timing['near_px']:g} pixels of a visible one. One core, {timing['device']}."
    )
    return "\n".join([f"{head} time a frame |", "|---|---|---|---|---|---|", *rows, "", size])


def run_times_table(timing):
    """Seconds of every chapter, and the machine.

    Parameters
    ----------
    timing : dict or None
        The record ``results/bench/book.json``, a copy of what the book's builder writes.

    Returns
    -------
    str
    """
    if timing is None:
        return (
            "No timing record yet: copy `build/book_times.json` to `results/bench/book.json` "
            "after a build."
        )
    rows = [f"| `{name}` | {seconds} |" for name, seconds in timing["chapters_s"].items()]
    whole = (
        f"Preset {timing['preset']}, two chapters at a time, {timing['device']}; the book in "
        f"{timing['book_s']} s."
    )
    return "\n".join(["| chapter | seconds |", "|---|---|", *rows, "", whole])


def faults_table():
    """Every fault with a measured effect, from the committed records.

    Returns
    -------
    str
        A Markdown table; a fault whose record is missing says so.
    """
    measured = (benchmark("faults") or {}).get("values", {})
    sift, network = (committed_result(*which) for which in FAULT_RECORDS)
    rows = [
        ("vocabulary fitted separately on validation images",
            _value(sift, "sift_validation_accuracy"),
         _value(sift, "separate_vocabularies_accuracy")),
        ("labels in another order than the rows", measured.get("texture_right"),
            measured.get("order_wrong")),
        ("distances and angles swapped", measured.get("texture_right"), measured.get("swap_wrong")),
        ("learning rate divided by ten before the first step", measured.get("rate_right"),
            measured.get("rate_wrong")),
        ("one mean for all pixels", *_means(network)),
    ]  # fmt: skip
    lines = ["| fault | accuracy without it | with it |", "|---|---|---|"]
    lines += [
        f"| {name} | {format_entry(right)} | {format_entry(wrong)} |" for name, right, wrong in rows
    ]
    return "\n".join([*lines, "", _about_lengths(measured.get("length_wrong"))]) + "\n"


def _value(record, key):
    return record["values"].get(key) if record else None


def _means(record):
    """Mean accuracy over the seeds of the network of chapter 40 with a mean per pixel and with one
    for all.
    """
    if not record:
        return None, None
    study = record["details"]["study"]
    of = {
        name: [r["accuracy"]["value"] for r in study if r["variant"] == name]
        for name in ("as_trained", "scalar_mean")
    }
    return tuple(metrics.mean_interval(accuracies) for accuracies in of.values())


def _about_lengths(entry):
    if not entry:
        return f"Histogram length taken from each image: {MISSING}."
    changed = round(entry["value"] * entry["n"])
    return (
        f"Histogram length taken from each image: it differs from the right one in {changed} of "
        f"{entry['n']} images."
    )


def best_records(chapters=CHAPTERS):
    """The committed record of each chapter from its largest preset.

    Parameters
    ----------
    chapters : sequence of str

    Returns
    -------
    dict of dict
        By chapter; chapters without a record are left out.
    """
    return {
        name: record
        for preset in reversed(FULL_SIZE)
        for name, record in load_records(COMMITTED / preset, chapters).items()
    }


def readme_table():
    """The results table of the README, from the committed records of the largest preset."""
    return markdown_table(best_records())


def headline_table():
    """Our best numbers for the first page: rate, forest, SVM, network, real frames."""
    records = best_records()
    rows = [_row(claim, records) for claim in claims.CLAIMS if claim.key in HEADLINE]
    beside = [row for row in rows_beside(records) if row.startswith("| Shipped screener")]
    return "\n".join([*TABLE_HEAD, *rows, *beside]) + "\n"


def markdown_table(records):
    """Every number of the paper beside one set of records.

    Parameters
    ----------
    records : dict of dict
        By chapter.

    Returns
    -------
    str
        A Markdown table.
    """
    rows = [_row(claim, records) for claim in claims.CLAIMS]
    return "\n".join([*TABLE_HEAD, *rows, *rows_beside(records)]) + "\n"


def papers_table(studies):
    """Every number of several papers beside our committed records.

    Parameters
    ----------
    studies : sequence of study.Study

    Returns
    -------
    str
        A Markdown table, the studies one after the other.
    """
    lines = [f"| study {TABLE_HEAD[0]}", f"|---{TABLE_HEAD[1]}"]
    for study in studies:
        records = best_records(study.chapters)
        name = study.name.replace("_", " ")
        lines += [f"| {name} {_row(claim, records)}" for claim in study.claims]
    return "\n".join(lines) + "\n"


def _row(claim, records):
    entry = _entry(records, claim)
    preset = records[claim.chapter]["preset"] if entry else NO_CLAIM
    ours = format_entry(entry) + remark(records, claim)
    return f"| {claim.heading} ({claim.source}) | {format_claim(claim)} | {ours} | {preset} |"


def readme_with(text, table):
    """Put `table` between the marks of a README.

    Raises
    ------
    DiffranetError
        If a mark is missing.
    """
    start, end = README_MARKS
    if start not in text or end not in text:
        raise DiffranetError(
            f"README.md has no {start} and {end}: put them where the results table belongs."
        )
    return f"{text.split(start)[0]}{start}\n{table}{end}{text.split(end)[1]}"


def update_readme():
    """Write the table of the committed records into README.md."""
    path = ROOT / "README.md"
    path.write_text(readme_with(path.read_text(encoding="utf-8"), readme_table()), encoding="utf-8")


def _entry(records, claim):
    return records.get(claim.chapter, {"values": {}})["values"].get(claim.key)
