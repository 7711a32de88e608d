"""The numbers of the paper on MARCO: Bruno et al. 2018, doi:10.1371/journal.pone.0198883."""

from diffranet_utils.records.study import Claim

from .label_noise import DISAGREED, REVISITED
from .labels import TABLE_2
from .scores import OPERATING_POINTS, PAPER_AUC, TABLE_6

TEST, C3 = 47_062, 37_851  # pictures of the test set, and of the one collected afterwards
CHAPTER = "81_inception_on_drops"
COLLECTED = sum(sum(counts) for counts in TABLE_2.values())
VALIDATED = {name: counts[1] for name, counts in TABLE_2.items()}
SHARE = None  # a fraction whose count the paper does not give


def _share(key, title, value, n, source, note=""):
    """A claim that is a share; without its count it has no interval."""
    return Claim(key, title, value, n, source, CHAPTER, note, unit=SHARE)


def _recall(key, name, point):
    rate, recall = OPERATING_POINTS[name][point]
    title = f"{name.capitalize()}, recall at {100 * rate:g} % false positives"
    return _share(key, title, recall, VALIDATED[name], "Figure 3")


#: Every number of the paper that a chapter answers, as `Claim`, in the order of the chapter.
CLAIMS = (
    _share("accuracy", "Accuracy, four classes", 0.945, TEST, "Section 4"),
    _share("crystal_auc", "Crystals, area below the ROC curve", PAPER_AUC["crystals"], None,
    "Figure 3"),
    _share("precipitate_auc", "Precipitate, area below the ROC curve", PAPER_AUC["precipitate"],
    None, "Figure 3"),
    _recall("crystal_recall_at_1_6_percent", "crystals", 1),
    _recall("crystal_recall_at_19_percent", "crystals", 0),
    _recall("precipitate_recall_at_3_4_percent", "precipitate", 1),
    _recall("precipitate_recall_at_25_percent", "precipitate", 0),
    _share(
        "accuracy_left_out_imager", "Accuracy on an imager left out of training",
        TABLE_6["MARCO"]["accuracy"], C3,
        "Table 6", "the paper: on later pictures of a known institution",
    ),
    _share(
        "worst_5_percent_true_errors", "True errors among the 5 % most in disagreement", DISAGREED,
        round(REVISITED * COLLECTED), "Section 2, Relabeling", "the paper: one expert's word",
    ),
    _share("gain_of_relabelling", "Accuracy gained by relabelling", 0.003, None, "Section 4"),
    _share("gain_of_double_resolution", "Accuracy gained by twice the resolution", 0.003, None,
    "Section 3"),
    Claim("ms_per_image", "Time for one picture", 260, None, "Section 4, a cloud instance", CHAPTER,
    unit="ms"),
)  # fmt: skip
