"""Words for one value of a record; loads nothing, so that commands can start fast."""

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
        Such as ``97.5 % [96.1, 98.4], n = 800`` or ``23.1 image/s``, with no-break spaces inside
        each part. Without the interval where its ends agree: equal runs of a few seeds do not
        prove that the next would agree.
    """
    if entry is None:
        return MISSING
    if entry.get("value") is None:
        return NO_CLAIM
    share = "unit" not in entry
    scale, unit = (
        (100, f"{JOIN}%") if share else (1, f"{JOIN}{entry['unit']}" if entry["unit"] else "")
    )
    words = _number(entry["value"] * scale, share) + unit
    if entry.get("low") is not None and entry["low"] < entry["high"]:
        low, high = (_number(entry[end] * scale, share) for end in ("low", "high"))
        words += f" [{low},{JOIN}{high}]"
    if entry.get("n"):
        words += f", n{JOIN}={JOIN}{entry['n']:,}"
    return words


def _number(value, share):
    """Two significant decimals for a share in percent, four significant digits for anything
    else.
    """
    if share:
        return f"{value:.1f}"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
