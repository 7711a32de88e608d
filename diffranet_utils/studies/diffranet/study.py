"""DiffraNet as shared code is handed it: classes, presets, the paper's numbers, chapters."""

from diffranet_utils.records.study import Study
from diffranet_utils.studies.diffranet import presets
from diffranet_utils.studies.diffranet.claims import CLAIMS
from diffranet_utils.studies.diffranet.labels import Label, is_hit

CHAPTERS = (
    "00_quickstart",
    "10_bragg_scattering",
    "11_background_and_detector",
    "12_five_classes",
    "20_dataset",
    "30_texture_features",
    "31_sift_bag_of_words",
    "32_hyperopt_search",
    "40_deepfreak",
    "41_bohb_search",
    "50_real_frames",
    "51_reality_gap",
    "60_scorecard",
)

STUDY = Study(
    "diffranet",
    Label,
    presets.PRESETS,
    CLAIMS,
    CHAPTERS,
    hits=tuple(filter(is_hit, Label)),
    sections=presets.SECTIONS,
)
