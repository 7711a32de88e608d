from dataclasses import fields

import numpy as np
import pytest

from diffranet_utils.cli.registry import study_of
from diffranet_utils.core.errors import InputError
from diffranet_utils.records import provenance
from diffranet_utils.studies.space_groups import presets
from diffranet_utils.studies.space_groups.claims import CLAIMS, TABLE_S1
from diffranet_utils.studies.space_groups.labels import GROUPS
from diffranet_utils.studies.space_groups.study import STUDY

CHAPTER = "91_space_groups"


def test_the_study_is_registered_with_its_45_classes():
    assert study_of(CHAPTER) is STUDY
    assert [int(label) for label in STUDY.classes] == list(GROUPS)
    assert STUDY.class_names[GROUPS and list(GROUPS).index(225)] == "Fm-3m"


def test_every_chapter_has_a_step():
    assert all(callable(STUDY.step(chapter)) for chapter in STUDY.chapters)


def test_claims_are_answered_by_chapters_and_agree_with_the_papers_last_row():
    assert {claim.chapter for claim in CLAIMS} <= set(STUDY.chapters)
    values = {claim.key: claim.value for claim in CLAIMS}
    assert TABLE_S1[-1][-2:] == (values["cnn_random_top1"], values["cnn_random_top6"])


def test_larger_presets_are_larger():
    order = [presets.PRESETS[name].groups for name in ("smoke", "workshop", "overnight", "full")]
    for field in ("n_substituted", "n_random", "own_epochs", "cnn_epochs"):
        sizes = [getattr(groups, field) for groups in order]
        assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    "changes", [{"splits": ("mineral",)}, {"cif_dir": "nowhere"}, {"own_epochs": 0}]
)
def test_choices_that_cannot_be_run_are_refused(tmp_path, changes):
    with pytest.raises(InputError):
        provenance.start_run(STUDY, "smoke", 1, tmp_path, tmp_path, CHAPTER, **changes)


def test_parameters_are_described():
    names = {field.name for field in fields(presets.Groups)}
    assert all(name in presets.Groups.__doc__ for name in names)


def test_titles_are_unique():
    assert len(np.unique(STUDY.class_names)) == 45
