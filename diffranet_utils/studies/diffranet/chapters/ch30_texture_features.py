"""Heavy step of chapter 30: what texture features tell apart before anything is tuned."""

import numpy as np

from diffranet_utils.features.store import FeatureStore
from diffranet_utils.features.texture import PROPERTIES, glcm_names
from diffranet_utils.learning.classifiers import UNTUNED, make_classifier
from diffranet_utils.records import metrics
from diffranet_utils.studies.diffranet.dataset import ensure_dataset, load_split
from diffranet_utils.studies.diffranet.labels import Label

# Table 8's default extractors, and every co-occurrence feature at once.
TABLES = {
    "glcm_default": ("GLCM, distance 5, angle 0", lambda store: store.glcm((5,), (0,))),
    "glcm_all": ("GLCM, all 20 offsets", lambda store: store.glcm()),
    "lbp_default": ("LBP, 24 points, radius 3", lambda store: store.lbp(24, 3)),
    "lbp_radius_0": ("LBP, 8 points, radius 0", lambda store: store.lbp(8, 0)),
}
N_SHUFFLES = 5


def step(run):
    """Accuracy of untuned texture features on validation, with what each feature contributes.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`. Values are those of the forest; ``details["rows"]`` has the
        SVM's too.
    """
    root = ensure_dataset(run)
    train, validation = (load_split(root, split) for split in ("train", "validation"))
    stores = [
        FeatureStore(split.images, root / "features", run.preset.n_workers)
        for split in (train, validation)
    ]
    asked = run.preset.textures
    rows, drops, values = [], {}, {}
    for key in asked.extractors:
        title, table = TABLES[key]
        x, x_validation = (table(store) for store in stores)
        models = {
            kind: make_classifier(c, run.seed).fit(x, train.labels)
            for kind, c in UNTUNED.items()
            if kind in asked.classifiers
        }
        scores = {
            kind: metrics.accuracy(validation.labels, m.predict(x_validation))
            for kind, m in models.items()
        }
        rows.append({"features": title, "columns": x.shape[1]} | scores)
        if "rf" in scores:
            values[f"{key}_accuracy"] = scores["rf"]
        if key == "glcm_all" and "rf" in models:
            drops = property_drops(
                models["rf"], x_validation, validation.labels, np.random.default_rng(run.seed)
            )
    single = stores[0].glcm((1,), (0,))
    means = {
        label.title: single[train.labels == label].mean(axis=0)
        for label in Label
        if (train.labels == label).any()
    }
    return values, {"rows": rows, "drops": drops, "class_means": means}


def property_drops(model, x, truth, rng, names=None):
    """Accuracy lost when all columns of one Haralick feature are shuffled among the images
    (Breiman, 2001).

    Parameters
    ----------
    model : estimator
        Trained on a co-occurrence table.
    x : ndarray, shape (n, n_columns), float64
    truth : ndarray, shape (n,), int
    rng : numpy.random.Generator
    names : list of str, optional
        Of the columns, see `features.glcm_names`; by default those of the full table.

    Returns
    -------
    dict
        Feature name -> mean loss of accuracy over `N_SHUFFLES` shuffles.
    """
    owner = np.array([name.split()[0] for name in names or glcm_names()])
    base = (model.predict(x) == truth).mean()
    drops = {}
    for name in PROPERTIES:
        scores = []
        for _ in range(N_SHUFFLES):
            shuffled = x.copy()
            shuffled[:, owner == name] = x[rng.permutation(len(x))][:, owner == name]
            scores.append((model.predict(shuffled) == truth).mean())
        drops[name] = float(base - np.mean(scores))
    return drops
