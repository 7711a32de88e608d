"""The paper's numbers that this study answers (Ushizima et al. 2021, submitted version)."""

from diffranet_utils.records.study import Claim
from diffranet_utils.studies.scattering.labels import TEST_COUNTS

N_TEST = sum(TEST_COUNTS.values())
_CHAPTER = "71_sorting_techniques"

CLAIMS = (
    Claim("best_accuracy", "Best of all representations", 0.9911, N_TEST, "abstract", _CHAPTER),
    Claim("lenet_accuracy", "LeNet with a forest", 0.9910, N_TEST, "Table 3", _CHAPTER),
    Claim("hf_accuracy", "Histogram features with a forest", 0.9751, N_TEST, "Table 3", _CHAPTER),
)

#: Table 2: seconds of training (UB, BL, BLA) and of the features of one image.
TABLE_2 = {
    "lenet": (1283, 587, 2758, 0.010),
    "vgg16": (1587, 744, 2822, 0.020),
    "vgg19": (1814, 846, 3272, 0.021),
    "resnet50": (2097, 984, 3872, 0.022),
    "xception": (2967, 2251, 5520, 0.034),
    "inception_resnet_v2": (3832, 2932, 10546, 0.052),
}

#: Table 3: accuracy, recall, precision, F1, kappa and MCC in percent of the best model.
TABLE_3 = {
    "histogram": ("rf", 97.51, 95.71, 97.53, 97.51, 95.60, 95.60),
    "lenet/unbalanced": ("rf", 99.10, 98.80, 99.11, 99.10, 98.40, 98.41),
    "vgg16/augmented": ("et", 99.00, 98.48, 99.01, 99.00, 98.24, 98.24),
    "vgg19/augmented": ("et", 99.01, 98.45, 99.02, 99.01, 98.25, 98.25),
    "xception/pre_trained": ("et", 98.17, 97.10, 98.21, 98.17, 96.78, 96.78),
    "resnet50/pre_trained": ("et", 97.97, 97.05, 98.00, 97.97, 96.42, 96.43),
    "inception_resnet_v2/pre_trained": ("et", 97.68, 96.36, 97.72, 97.68, 95.90, 95.91),
}
