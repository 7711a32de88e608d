"""What a record says of an accuracy on real frames beyond the accuracy itself, for the tables that
print it.
"""

from diffranet_utils.records.entries import NO_CLAIM, format_entry
from diffranet_utils.studies.diffranet.labels import is_hit

BEST = "best_real_accuracy"
BESIDE = (  # what belongs beside the best model on real frames; the paper has no such numbers
    ("screener_real_frame_accuracy", "Shipped screener, whole real frames", "51_reality_gap"),
    (
        "peak_count_real_crop_accuracy",
        "Count of spots, nothing trained, crops of real frames",
        "51_reality_gap",
    ),
    (
        "peak_count_real_frame_accuracy",
        "Count of spots, nothing trained, whole real frames",
        "51_reality_gap",
    ),
)


def remark(records, claim):
    """What to print behind our number of one claim.

    Parameters
    ----------
    records : dict of dict
        By chapter.
    claim : study.Claim

    Returns
    -------
    str
        Begins with a semicolon and says whether every crop got the same answer, or which model was
        the best and how many frames it saw; empty where there is nothing to say.
    """
    record = records.get(claim.chapter, {"values": {}})
    if claim.key not in record["values"]:
        return ""
    return _chosen(record) if claim.key == BEST else _same_answer(record, claim.key)


def rows_beside(records):
    """Rows of a Markdown table for numbers that the paper does not have, where the records hold
    them.
    """
    return [
        f"| {title} | {NO_CLAIM} | {format_entry(record['values'][key])} | {record['preset']} |"
        for key, title, chapter in BESIDE
        if key in (record := records.get(chapter, {"values": {}}))["values"]
    ]


def _chosen(record):
    chosen, n_frames = (record.get("details", {}).get(key) for key in ("chosen", "n_frames"))
    if not chosen:
        return ""
    return f"; {chosen['model']} trained on “{chosen['rung']}”, crops of {n_frames} frames"


def _same_answer(record, key):
    """Which answer every crop got, and the balanced accuracy; empty if the answers differ or are
    not recorded.
    """
    crops = key.removesuffix("_accuracy").replace("_real_", " ")
    hit = only_answer(record.get("details", {}).get("crop_labels", {}).get(crops, []))
    if hit is None:
        return ""
    balanced = record["values"][key.replace("accuracy", "balanced_accuracy")]
    return (
        f"; every crop called a {'hit' if hit else 'miss'}, balanced "
        f"{100 * balanced['value']:.0f} %"
    )


def only_answer(crop_labels):
    """The one answer that all crops got.

    Parameters
    ----------
    crop_labels : sequence of int
        Classes, 1 to 5.

    Returns
    -------
    bool or None
        True for hit, False for miss; None if the answers differ, or there are none.
    """
    answers = set(is_hit(crop_labels).tolist())
    return answers.pop() if len(answers) == 1 else None
