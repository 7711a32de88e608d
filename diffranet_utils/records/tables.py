"""Words for the numbers of a record, and the table that sets them beside the paper's."""

import pandas as pd

from diffranet_utils.records.provenance import committed_result

MISSING = "not yet measured"
NO_CLAIM = "–"
JOIN = "\N{NO-BREAK SPACE}"  # keeps a number together in narrow columns


def format_entry(entry):
    """Write one value of a record for a reader.

    Parameters
    ----------
    entry : dict or None
        As made by `metrics.proportion` (a share, printed in percent) or by
        `provenance.plain_value` (a number with a unit).

    Returns
    -------
    str
        Such as ``97.5 % [96.1, 98.4], n = 800`` or ``23.1 image/s``, with no-break spaces inside each part.
    """
    if entry is None:
        return MISSING
    if entry.get("value") is None:
        return NO_CLAIM
    share = "unit" not in entry
    scale, unit = (100, f"{JOIN}%") if share else (1, f"{JOIN}{entry['unit']}" if entry["unit"] else "")
    words = _number(entry["value"] * scale, share) + unit
    if entry.get("low") is not None:
        words += f" [{_number(entry['low'] * scale, share)},{JOIN}{_number(entry['high'] * scale, share)}]"
    if entry.get("n"):
        words += f", n{JOIN}={JOIN}{entry['n']:,}"
    return words


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
        One row per number; columns: this run, the committed record of the preset ``full``, the paper.
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
    columns = [f"this run ({record['preset']}, seed {record['seed']})", "our full-size record", "the paper"]
    return pd.DataFrame(rows, index=pd.Index(titles, name="value"), columns=columns)


def grouped(rows, key):
    """Rows (dicts) by the value that they have under `key`, in the order of their first appearance."""
    groups = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups


def _number(value, share):
    """Two significant decimals for a share in percent, four significant digits for anything else."""
    if share:
        return f"{value:.1f}"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
