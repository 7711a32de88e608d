"""Crystallisation drops as shared code is handed them: classes, presets, the paper's numbers,
chapters.
"""

from diffranet_utils.records.study import Study

from .claims import CLAIMS
from .labels import Label
from .presets import PRESETS, SECTIONS

STUDY = Study(
    "drops",
    Label,
    PRESETS,
    CLAIMS,
    tuple(SECTIONS),
    hits=(Label.CRYSTALS,),
    sections=SECTIONS,
)
