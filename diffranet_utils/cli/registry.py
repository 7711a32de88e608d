"""Every study of the book: what `diffranet run` and the book's builder choose from."""

from diffranet_utils.core.errors import InputError
from diffranet_utils.studies.diffranet.study import STUDY as DIFFRANET
from diffranet_utils.studies.drops.study import STUDY as DROPS
from diffranet_utils.studies.scattering.study import STUDY as SCATTERING
from diffranet_utils.studies.space_groups.study import STUDY as SPACE_GROUPS

STUDIES = (DIFFRANET, SCATTERING, DROPS, SPACE_GROUPS)


def study_of(chapter):
    """The study that a chapter belongs to.

    Raises
    ------
    InputError
        If there is no such chapter.
    """
    for study in STUDIES:
        if chapter in study.chapters:
            return study
    names = ", ".join(name for study in STUDIES for name in study.chapters)
    raise InputError(f"Unknown chapter {chapter!r}: choose one of {names}.")
