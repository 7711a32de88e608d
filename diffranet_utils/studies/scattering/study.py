"""The scattering study as shared code is handed it: classes, presets, the paper's numbers,
chapters.
"""

from diffranet_utils.records.study import Study
from diffranet_utils.studies.scattering import presets
from diffranet_utils.studies.scattering.claims import CLAIMS
from diffranet_utils.studies.scattering.labels import Technique

CHAPTERS = ("70_scattering_patterns", "71_sorting_techniques")

STUDY = Study(
    "scattering",
    Technique,
    presets.PRESETS,
    CLAIMS,
    CHAPTERS,
    sections=presets.SECTIONS,
)
