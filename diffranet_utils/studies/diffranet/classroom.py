"""What a class should see in the half-day plan, from the records of the build that made the
page.
"""

from diffranet_utils.records.entries import MISSING
from diffranet_utils.studies.diffranet import remarks

SHOWN = 10  # images of exercise 0.3


def expected_table(records):
    """The numbers that the plan for half a day leads to.

    Parameters
    ----------
    records : dict of dict
        By chapter, of one build.

    Returns
    -------
    str
        A Markdown table; a chapter that has not run says so.
    """
    found = (
        ("exercise 0.3", "00_quickstart", _forest_of_the_ten),
        ("*One look at the test images*, McNemar's test", "32_hyperopt_search", _disagreements),
        ("the grid of verdicts", "50_real_frames", _columns),
    )
    rows = [
        f"| {place} | {say(records[name]) if name in records else MISSING} |"
        for place, name, say in found
    ]
    return "\n".join(["| where | what you should see |", "|---|---|", *rows]) + "\n"


def _forest_of_the_ten(record):
    pairs = zip(*(record["details"][key][:SHOWN] for key in ("truth", "predicted")), strict=True)
    return f"the forest is right on {sum(true == said for true, said in pairs)} of {SHOWN}"


def _disagreements(record):
    paired = record["details"]["mcnemar"]
    counts = (
        f"only the forest right on {paired['first_only']} images, only the machine on "
        f"{paired['second_only']}"
    )
    return f"{counts}, p = {paired['p']:.2g}"


def _columns(record):
    columns = record["details"]["crop_labels"]
    same = sum(remarks.only_answer(crops) is not None for crops in columns.values())
    return (
        f"{same} of {len(columns)} columns hold one answer from top to bottom; "
        f"{record['details']['source']}"
    )
