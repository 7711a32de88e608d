"""Space groups as shared code is handed them: classes, presets, the paper's numbers, chapters."""

from diffranet_utils.records.study import Study
from diffranet_utils.studies.space_groups.claims import CLAIMS
from diffranet_utils.studies.space_groups.labels import SpaceGroup
from diffranet_utils.studies.space_groups.presets import PRESETS, SECTIONS

STUDY = Study("space_groups", SpaceGroup, PRESETS, CLAIMS, tuple(SECTIONS), sections=SECTIONS)
