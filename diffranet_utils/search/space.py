"""The joint search space of feature extractors and classifiers: Table 8 of the paper, in full."""

from dataclasses import dataclass, field
from itertools import combinations

from diffranet_utils.features.sift import N_WORDS
from diffranet_utils.features.texture import ANGLES_DEG, DISTANCES, POINTS, RADII
from diffranet_utils.learning.classifiers import UNTUNED

CLASS_WEIGHTS = (
    None,
    "balanced",
    [0.35, 0.35, 0.1, 0.1, 0.1],
    [0.3, 0.3, 0.133, 0.133, 0.133],
    [0.25, 0.25, 0.166, 0.166, 0.166],
)


def subsets(values):
    """All non-empty subsets, small ones first, as lists."""
    return tuple(
        list(chosen) for n in range(1, len(values) + 1) for chosen in combinations(values, n)
    )


#: Feature extractors: name -> setting -> its values.
EXTRACTORS = {
    "glcm": {"distances": subsets(DISTANCES), "angles_deg": subsets(ANGLES_DEG)},
    "lbp": {"points": POINTS, "radius": RADII},
    "sift": {"n_words": N_WORDS},
}
CLASSIFIERS = {
    "rf": {
        "n_trees": (10, 100, 1000),
        "max_features": ("sqrt", 0.25, 0.5, 0.75),
        "max_depth": (2, 4, 6, 8, 10, 20, None),  # None, a full tree, is the deepest
        "class_weight": CLASS_WEIGHTS,
    },
    "svm": {
        "C": tuple(sorted([1.0, *(2.0**x for x in range(-5, 16, 2))])),
        "gamma": (
            0.0,
            *(2.0**x for x in range(-15, 4, 2)),
        ),  # 0: the library's default, see make_classifier
        "class_weight": CLASS_WEIGHTS,
    },
}
# Not in the paper, and only searched on request: scikit-learn's two other ensembles of trees.
MORE_CLASSIFIERS = {
    "et": CLASSIFIERS["rf"],
    "boosting": {
        "n_rounds": (50, 100, 200, 400),
        "learning_rate": (0.03, 0.1, 0.3),
        "max_leaf_nodes": (7, 15, 31, 63),
        "class_weight": CLASS_WEIGHTS,
    },
}
ALL_CLASSIFIERS = CLASSIFIERS | MORE_CLASSIFIERS
# Not in the paper either: statistics of what stands out of the noise, alone and beside the
# co-occurrence features.
SPOT_EXTRACTORS = {"spots": {}, "spots_glcm": EXTRACTORS["glcm"]}
CATEGORICAL = (
    "distances",
    "angles_deg",
    "class_weight",
)  # no order among the values; all others have one

# Settings that the search looks at first: Table 3 in full; Table 4's best LBP and SIFT, with Table
# 8's defaults for what Table 4 leaves out. So a search of four trials has seen both classifiers and
# the paper's three extractors.
_FOREST, _MACHINE = UNTUNED["rf"] | {"n_trees": 10}, UNTUNED["svm"]
PAPER_BEST = (
    {"extractor": "glcm", "distances": [1, 2, 5, 8], "angles_deg": [45, 135], **_FOREST}
    | {"n_trees": 100, "max_depth": 20},
    {"extractor": "glcm", "distances": [1, 5, 8], "angles_deg": [0, 90, 135], **_MACHINE}
    | {"C": 32.0, "gamma": 0.5, "class_weight": CLASS_WEIGHTS[4]},
    {"extractor": "lbp", "points": 24, "radius": 3, **_MACHINE},
    {"extractor": "sift", "n_words": 25, **_FOREST},
)


_TREES = UNTUNED["rf"] | {"classifier": "et"}
SPOT_STARTS = (
    {"extractor": "spots", **_TREES},
    {
        "extractor": "spots_glcm",
        "distances": [1, 2, 4, 5, 8],
        "angles_deg": [0, 45, 90, 135],
        **_TREES,
    },
)


@dataclass(frozen=True)
class Space:
    """A joint space: one branch for each extractor and each classifier, with the values of its
    settings.

    Parameters
    ----------
    extractors, classifiers : dict
        Kind -> setting -> its values.
    """

    extractors: dict = field(default_factory=lambda: EXTRACTORS, hash=False)
    classifiers: dict = field(default_factory=lambda: CLASSIFIERS, hash=False)

    @property
    def roles(self):
        """Pairs of a role in a configuration and its branches."""
        return (("extractor", self.extractors), ("classifier", self.classifiers))

    def part(self, extractors, classifiers):
        """The space with these kinds only, in the order of the whole."""
        kept = zip((self.extractors, self.classifiers), (extractors, classifiers), strict=True)
        return Space(
            *({kind: group[kind] for kind in group if kind in kinds} for group, kinds in kept)
        )

    def __contains__(self, config):
        """Whether a configuration lies on branches of this space."""
        return all(config[role] in group for role, group in self.roles)

    def labels(self):
        """Names that Hyperopt gives to the dimensions, such as ``svm_C``."""
        inner = [
            f"{kind}_{name}" for _, group in self.roles for kind in group for name in group[kind]
        ]
        return ["extractor", "classifier", *inner]

    def dimensions(self):
        """The space as Hyperopt takes it; every leaf is the index of a value.

        Ladders such as C are ordered: `quniform` lets the estimator learn that neighbours behave
        alike. Half a step is added at both ends, because rounding would otherwise make the end
        values half as likely.

        Returns
        -------
        dict
            Its dimensions are named by `labels`.
        """
        from hyperopt import hp

        def leaf(kind, name, values):
            label, n = f"{kind}_{name}", len(values)
            return (
                hp.choice(label, list(range(n)))
                if name in CATEGORICAL
                else hp.quniform(label, -0.49, n - 0.51, 1)
            )

        def branches(label, group):
            return hp.choice(
                label,
                [{name: leaf(kind, name, v) for name, v in group[kind].items()} for kind in group],
            )

        return {role: branches(role, group) for role, group in self.roles}

    def decode(self, indices):
        """Turn Hyperopt's indices into plain settings.

        Parameters
        ----------
        indices : dict
            Label of each dimension in use -> index.

        Returns
        -------
        dict
            ``extractor``, ``classifier`` and the parameters of both, as JSON holds them.
        """
        config = {}
        for role, group in self.roles:
            kind = config[role] = list(group)[int(indices[role])]
            config |= {
                name: values[round(float(indices[f"{kind}_{name}"]))]
                for name, values in group[kind].items()
            }
        return config

    def encode(self, config):
        """The inverse of `decode`.

        Parameters
        ----------
        config : dict

        Returns
        -------
        dict
            For example ``{"extractor": 0, "classifier": 1, "glcm_distances": 14, ...}``.

        Raises
        ------
        ValueError
            If a value is not in the space.
        """
        indices = {}
        for role, group in self.roles:
            kind = config[role]
            indices[role] = list(group).index(kind)
            indices |= {
                f"{kind}_{name}": list(values).index(config[name])
                for name, values in group[kind].items()
            }
        return indices


PAPER_SPACE, WIDE_SPACE = Space(), Space(classifiers=ALL_CLASSIFIERS)
SPOT_SPACE = Space(SPOT_EXTRACTORS, ALL_CLASSIFIERS)


def describe(config):
    """Settings on one line, such as ``glcm distances [1, 5] angles_deg [0] | svm C 32 gamma
    0.5``.
    """
    words = []
    for role, group in Space(EXTRACTORS | SPOT_EXTRACTORS, ALL_CLASSIFIERS).roles:
        inner = [f"{name} {short(config[name])}" for name in group[config[role]]]
        words.append(" ".join([config[role], *inner]))
    return " | ".join(words)


def short(value):
    """A setting in as few characters as tell it."""
    return f"{value:g}" if isinstance(value, float) else str(value)
