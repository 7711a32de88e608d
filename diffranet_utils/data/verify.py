"""Is a data set on disk what its manifest says? Hash every file, name what is wrong, make it again
on request.
"""

from dataclasses import dataclass, field
from pathlib import Path

from diffranet_utils.core.errors import DiffranetError, MissingDataError
from diffranet_utils.core.files import read_json, sha256_of, write_bytes, write_json
from diffranet_utils.core.ownership import owned
from diffranet_utils.core.progress import progress
from diffranet_utils.data.build import image_number, make_file, open_journal, write_manifest
from diffranet_utils.data.split import load_manifest


@dataclass
class Report:
    """What `verify` found; paths are relative to the root.

    Parameters
    ----------
    n : int
        Images in the manifest.
    damaged, missing, foreign : list of str
        Files whose hash differs, that are not there, and that the manifest does not know.
    repaired : list of str
        Files made again.
    manifest_ok : bool
        Whether the manifest is the one that the card describes.
    """

    n: int = 0
    damaged: list = field(default_factory=list)
    missing: list = field(default_factory=list)
    foreign: list = field(default_factory=list)
    repaired: list = field(default_factory=list)
    manifest_ok: bool = True

    @property
    def sound(self):
        """Nothing wrong that was not repaired."""
        broken = set(self.damaged) | set(self.missing)
        return self.manifest_ok and not self.foreign and broken <= set(self.repaired)

    def lines(self):
        """The report in words, one finding a line."""
        found = [("damaged", self.damaged), ("missing", self.missing), ("foreign", self.foreign)]
        done = set(self.repaired)
        lines = [
            f"{what}: {path}{' (made again)' if path in done else ''}"
            for what, paths in found
            for path in paths
        ]
        if not self.manifest_ok:
            lines.append("damaged: manifest.csv")
        n_wrong = len(self.damaged) + len(self.missing)
        return [
            *lines,
            f"{self.n} images, {n_wrong} damaged or missing, {len(self.foreign)} foreign files",
        ]


def verify(root, recipe_of, repair=False):
    """Hash every image of a data set that `dataset.build_dataset` made.

    Parameters
    ----------
    root : path-like
    recipe_of : callable
        Gives the `build.Recipe` of a preset by its name.
    repair : bool
        Make damaged and missing files again, from their seed, and a damaged manifest from the
        journal. Foreign files are named and never touched.

    Returns
    -------
    Report

    Raises
    ------
    MissingDataError
        If there is no finished data set.
    DiffranetError
        If a file that was made again is not the same: another version of the program made the set.
    """
    root = Path(root)
    if not (root / "card.json").exists():
        raise MissingDataError(
            f"No finished data set in {root}: run `diffranet dataset --root {root}` first."
        )
    if not repair:
        return _verified(root, recipe_of, repair)
    with owned(root):
        return _verified(root, recipe_of, repair)


def _verified(root, recipe_of, repair):
    card = read_json(root / "card.json")
    recipe = recipe_of(card["preset"])
    report = Report(manifest_ok=_manifest_ok(root, card))
    if repair and not report.manifest_ok:
        _restore_manifest(root, card, recipe)
        report.manifest_ok = True
    rows = load_manifest(root)
    for row in progress(list(rows.itertuples()), title="verify", unit="image"):
        path = root / row.path
        if not path.is_file():
            report.missing.append(row.path)
        elif sha256_of(path) != row.sha256:
            report.damaged.append(row.path)
    known = set(rows.path)
    present = (
        p.relative_to(root).as_posix()
        for p in sorted((root / "synthetic").rglob("*"))
        if p.is_file()
    )
    report.n, report.foreign = len(rows), [path for path in present if path not in known]
    if repair:
        _repair(root, rows, report, card["seed"], recipe)
    return report


def _manifest_ok(root, card):
    path = root / "manifest.csv"
    return path.exists() and sha256_of(path) == card.get("manifest_sha256", sha256_of(path))


def _restore_manifest(root, card, recipe):
    counts, sha256 = write_manifest(
        root, open_journal(root, recipe, check_files=False), recipe.classes
    )
    write_json(root / "card.json", card | {"counts": counts, "manifest_sha256": sha256})


def _repair(root, rows, report, seed, recipe):
    """Make damaged and missing files again."""
    wrong = rows[rows.path.isin(report.damaged + report.missing)]
    for row in progress(list(wrong.itertuples()), title="repair", unit="image"):
        path, content, _ = make_file(recipe, seed, row.id, row.split, image_number(row.id))
        if path.as_posix() != row.path or sha256_of(content) != row.sha256:
            raise DiffranetError(
                f"{row.path} comes out differently: another version of the program made {root}. "
                "Build it anew."
            )
        write_bytes(root / path, content)
        report.repaired.append(row.path)
