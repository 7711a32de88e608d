"""The numbers that the paper on space groups reports: the one place where they are written down."""

from diffranet_utils.records.study import Claim

TEST, MEASURED = 20_360, 15  # a fifth of 101,802 structures; Table 3
HERE, CHOSEN = "91_space_groups", "selected on these structures"

CLAIMS = (
    Claim(
        "lr_random_top1", "LR on X, random split, top 1", 0.20, TEST, "Section 3.1", HERE, CHOSEN
    ),
    Claim(
        "lr_products_random_top1",
        "LR on X², random split, top 1",
        0.445,
        TEST,
        "Section 3.1",
        HERE,
        CHOSEN,
    ),
    Claim(
        "lr_products_random_top6",
        "LR on X², random split, top 6",
        0.77,
        TEST,
        "Section 3.1",
        HERE,
        CHOSEN,
    ),
    Claim(
        "cnn_random_top1",
        "Convolutional network, random split, top 1",
        0.70,
        TEST,
        "Table S1",
        HERE,
        CHOSEN,
    ),
    Claim(
        "cnn_random_top6",
        "Convolutional network, random split, top 6",
        0.919,
        TEST,
        "Table S1",
        HERE,
        CHOSEN,
    ),
    Claim("measured_top6", "Best model on measured curves, top 6", 0.80, MEASURED, "Table 3", HERE),
)

#: Table S1: filters, kernel, hidden units, members of the ensemble, top-1 and top-6 accuracy.
TABLE_S1 = (
    ((128, 32), 24, 128, 2, 0.641, 0.907),
    ((256, 64), 24, 128, 2, 0.686, 0.916),
    ((64, 64), 24, 128, 2, 0.674, 0.911),
    ((128, 64), 32, 128, 2, 0.690, 0.917),
    ((128, 64), 16, 128, 2, 0.666, 0.913),
    ((128, 64), 24, 256, 2, 0.692, 0.916),
    ((128, 64), 24, 64, 2, 0.664, 0.912),
    ((128, 64), 24, 128, 1, 0.657, 0.911),
    ((128, 64), 24, 128, 3, 0.682, 0.916),
    ((256, 64), 32, 128, 3, 0.700, 0.919),
)
