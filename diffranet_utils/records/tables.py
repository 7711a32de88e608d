"""Words for the numbers of a record, and the table that sets them beside the paper's."""

import pandas as pd

from diffranet_utils.records.entries import NO_CLAIM, format_entry
from diffranet_utils.records.provenance import committed_result


def format_claim(claim):
    """Write a number of the paper, with its Wilson interval and n where it is a share of images."""
    if claim is None:
        return NO_CLAIM
    return format_entry(claim_entry(claim))


def claim_entry(claim):
    """A claim in the form of a record's value, so that both are printed and drawn alike.

    Parameters
    ----------
    claim : study.Claim

    Returns
    -------
    dict
    """
    if claim.n is None:
        return {"value": claim.value} | ({} if claim.unit is None else {"unit": claim.unit})
    low, high = claim.interval()
    return {"value": claim.value, "n": claim.n, "low": low, "high": high, "interval": "Wilson 95 %"}


def result_table(record, study):
    """Set the numbers of a chapter beside the record of the full-size run and the paper's claim.

    Parameters
    ----------
    record : dict
        As `provenance.save_result` returns it.
    study : Study
        Whose chapter it is; its claims are the paper's numbers.

    Returns
    -------
    DataFrame
        One row per number; columns: this run, the committed record of the preset ``full``, the
        paper.
    """
    chapter = record["chapter"]
    committed = (committed_result(chapter) or {"values": {}})["values"]
    answered = {claim.key: claim for claim in study.claims_of(chapter)}
    keys = list(dict.fromkeys([*answered, *record["values"], *committed]))
    rows = [
        (
            format_entry(record["values"].get(key)),
            format_entry(committed.get(key)),
            format_claim(answered.get(key)),
        )
        for key in keys
    ]
    titles = [answered[key].title if key in answered else key.replace("_", " ") for key in keys]
    columns = [
        f"this run ({record['preset']}, seed {record['seed']})",
        "our full-size record",
        "the paper",
    ]
    return pd.DataFrame(rows, index=pd.Index(titles, name="value"), columns=columns)


def grouped(rows, key):
    """Rows (dicts) by the value that they have under `key`, in the order of their first
    appearance.
    """
    groups = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups
