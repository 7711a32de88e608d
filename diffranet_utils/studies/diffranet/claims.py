"""The numbers that the DiffraNet paper reports: the one place where they are written down."""

from diffranet_utils.records.study import Claim

VALIDATION, TEST, REAL_ALL, REAL_TEST = (
    2_400,
    12_599,
    457,
    91,
)  # Tables 6 and 13 sum to 12,599 images
SELECTED = "selected on these images"
TUNED_REAL = (
    0.9011,
    0.8681,
    0.5934,
    0.9110,
    0.9121,
)  # Table 7: the other models tuned on real frames

#: Every number of the paper that a chapter answers, as `Claim`, in the order of the scorecard.
CLAIMS = (
    Claim("images_per_second", "Simulated images per second", 1.0, None, "Section 3, 384 cores", "20_dataset"),
    Claim("glcm_validation_accuracy", "GLCM, best classifier, validation", 0.9858, VALIDATION, "Table 4", "32_hyperopt_search", SELECTED),
    Claim("lbp_validation_accuracy", "LBP, best classifier, validation", 0.9671, VALIDATION, "Table 4", "32_hyperopt_search", SELECTED),
    Claim("sift_validation_accuracy", "SIFT, best classifier, validation", 0.5642, VALIDATION, "Table 4", "31_sift_bag_of_words", SELECTED),
    Claim("rf_test_accuracy", "Random forest, test", 0.9845, TEST, "Table 5", "32_hyperopt_search"),
    Claim("svm_test_accuracy", "SVM, test", 0.9766, TEST, "Table 5", "32_hyperopt_search"),
    Claim("deepfreak_test_accuracy", "DeepFreak, test", 0.9851, TEST, "Table 5", "40_deepfreak"),
    Claim("deepfreak_hit_accuracy", "DeepFreak, hit or miss, test", 0.9983, TEST, "Section 5.3", "40_deepfreak"),
    Claim("bohb_validation_accuracy", "DeepFreak found by BOHB, validation", 0.9842, VALIDATION, "Section 5.2", "41_bohb_search", SELECTED),
    Claim("rf_real_raw_accuracy", "Random forest, real raw, untuned", 0.4386, REAL_ALL, "Table 7", "50_real_frames"),
    Claim("svm_real_raw_accuracy", "SVM, real raw, untuned", 0.5042, REAL_ALL, "Table 7", "50_real_frames"),
    Claim("deepfreak_real_raw_accuracy", "DeepFreak, real raw, untuned", 0.7606, REAL_ALL, "Table 7", "50_real_frames"),
    Claim("rf_real_preprocessed_accuracy", "Random forest, real preprocessed, untuned", 0.4520, REAL_ALL, "Table 7", "50_real_frames"),
    Claim("svm_real_preprocessed_accuracy", "SVM, real preprocessed, untuned", 0.5480, REAL_ALL, "Table 7", "50_real_frames"),
    Claim("deepfreak_real_preprocessed_accuracy", "DeepFreak, real preprocessed, untuned", 0.7205, REAL_ALL, "Table 7", "50_real_frames"),
    Claim("best_real_accuracy", "Best model on real frames (the paper: tuned on others of "
    "them)", 0.9451, REAL_TEST, "Table 7", "51_reality_gap"),
)  # fmt: skip
