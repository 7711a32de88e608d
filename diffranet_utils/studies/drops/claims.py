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

#: Every number of the paper that a chapter answers, as `Claim`, in the order of the chapter.
CLAIMS = (
    Claim("accuracy", "Accuracy, four classes", 0.945, TEST, "Section 4", CHAPTER),
    Claim("crystal_auc", "Crystals, area below the ROC curve", PAPER_AUC["crystals"], None, "Figure 3", CHAPTER, unit=SHARE),
    Claim("precipitate_auc", "Precipitate, area below the ROC curve", PAPER_AUC["precipitate"], None, "Figure 3", CHAPTER, unit=SHARE),
    Claim("crystal_recall_at_1_6_percent", "Crystals, recall at 1.6 % false positives", OPERATING_POINTS["crystals"][1][1], VALIDATED["crystals"], "Figure 3", CHAPTER),
    Claim("crystal_recall_at_19_percent", "Crystals, recall at 19 % false positives", OPERATING_POINTS["crystals"][0][1], VALIDATED["crystals"], "Figure 3", CHAPTER),
    Claim("precipitate_recall_at_3_4_percent", "Precipitate, recall at 3.4 % false positives", OPERATING_POINTS["precipitate"][1][1], VALIDATED["precipitate"], "Figure 3", CHAPTER),
    Claim("precipitate_recall_at_25_percent", "Precipitate, recall at 25 % false positives", OPERATING_POINTS["precipitate"][0][1], VALIDATED["precipitate"], "Figure 3", CHAPTER),
    Claim("accuracy_left_out_imager", "Accuracy on an imager left out (the paper: on new pictures of a known one)", TABLE_6["MARCO"]["accuracy"], C3, "Table 6", CHAPTER),
    Claim("worst_5_percent_true_errors", "True errors among the 5 % most in disagreement", DISAGREED, round(REVISITED * COLLECTED), "Section 2, Relabeling", CHAPTER, "the paper: one expert's word"),
    Claim("gain_of_relabelling", "Accuracy gained by relabelling", 0.003, None, "Section 4", CHAPTER, unit=SHARE),
    Claim("gain_of_double_resolution", "Accuracy gained by twice the resolution", 0.003, None, "Section 3", CHAPTER, unit=SHARE),
    Claim("ms_per_image", "Time for one picture", 260, None, "Section 4, a cloud instance", CHAPTER, unit="ms"),
)  # fmt: skip
