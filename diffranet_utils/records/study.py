"""What shared code knows of a study: its classes, presets, chapters and the numbers of its
paper.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from importlib import import_module

import numpy as np

from diffranet_utils.core.errors import InputError
from diffranet_utils.records.metrics import wilson_interval


@dataclass(frozen=True)
class Claim:
    """One number of a paper.

    Parameters
    ----------
    key : str
        Name of the value in our records that answers it.
    title : str
        As printed in the scorecard.
    value : float
    n : int or None
        Images it was measured on; None where there is no such count.
    source : str
        Where in the paper it stands.
    chapter : str
        The chapter that measures ours.
    note : str
        What else a reader must know of the number; empty where there is nothing.
    unit : str or None
        Of a number without `n`; None for a share.
    """

    key: str
    title: str
    value: float
    n: int | None
    source: str
    chapter: str
    note: str = ""
    unit: str | None = "image/s"

    @property
    def heading(self):
        """Title with the note, for a table of all numbers."""
        return f"{self.title} ({self.note})" if self.note else self.title

    def interval(self):
        """95 % Wilson interval of the claim from its count, or None without one."""
        return None if self.n is None else wilson_interval(round(self.value * self.n), self.n)


@dataclass(frozen=True)
class Study:
    """One study of the book; shared code is handed it and names none.

    Parameters
    ----------
    name : str
        Its folder below `studies`.
    classes : type of IntEnum
        Members in the order of tables and figures; each has a ``title``, and its value is the name
        of its folder.
    presets : mapping of str
        Sizes of a run by the preset's name; each has at least ``name``.
    claims : tuple of Claim
        Numbers of the paper, in the order of the scorecard.
    chapters : tuple of str
        Names of its notebooks, in the order of the book.
    hits : tuple of int
        Classes that count as a hit; empty where the study has no such question.
    package : str
        Where the chapters' steps are found: ``<package>.chapters.ch<chapter>``.
    sections : mapping of str
        Chapter to the field of a preset that holds its parameters, see `records.parameters`.
    """

    name: str
    classes: type[IntEnum]
    presets: Mapping = field(hash=False)
    claims: tuple[Claim, ...] = ()
    chapters: tuple[str, ...] = ()
    hits: tuple[int, ...] = ()
    package: str = ""
    sections: Mapping = field(default_factory=dict, hash=False)

    @property
    def class_names(self):
        """Titles of the classes, in their order."""
        return tuple(label.title for label in self.classes)

    def is_hit(self, labels):
        """Whether each label is a hit, an array of bool like `labels`."""
        return np.isin(labels, self.hits)

    def preset(self, name):
        """Look a preset up by name.

        Raises
        ------
        InputError
            If there is no preset of that name.
        """
        if name not in self.presets:
            raise InputError(f"Unknown preset {name!r}: choose one of {', '.join(self.presets)}.")
        return self.presets[name]

    def claims_of(self, chapter):
        """The claims that one chapter answers, in the paper's order."""
        return [claim for claim in self.claims if claim.chapter == chapter]

    def step(self, chapter):
        """The heavy step of a chapter: the function ``step(run)`` of the module that bears the
        chapter's name.

        Raises
        ------
        InputError
            If the study has no such chapter.
        """
        if chapter not in self.chapters:
            raise InputError(
                f"Unknown chapter {chapter!r}: choose one of {', '.join(self.chapters)}."
            )
        return import_module(
            f"{self.package or f'diffranet_utils.studies.{self.name}'}.chapters.ch{chapter}"
        ).step
