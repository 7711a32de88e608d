"""Heavy step of chapter 71: representations, tuned models, paired tests, maps and neighbours."""

from dataclasses import replace

import numpy as np
import torch

from diffranet_utils.core.errors import require
from diffranet_utils.learning.attention import concentration, layer_grad_cam
from diffranet_utils.learning.neighbours import (
    has_graph_search,
    nearest,
    nearest_by_graph,
    precision_at,
)
from diffranet_utils.records import metrics
from diffranet_utils.records.provenance import plain_value
from diffranet_utils.studies.scattering.collection import pattern_at, split_rows
from diffranet_utils.studies.scattering.dataset import ensure_collection
from diffranet_utils.studies.scattering.descriptors import GLCM_DISTANCES, cooccurrence
from diffranet_utils.studies.scattering.kept_features import Halves, features_of_half, network_of
from diffranet_utils.studies.scattering.labels import TECHNIQUES
from diffranet_utils.studies.scattering.real_frames import real_accuracy
from diffranet_utils.studies.scattering.representations import BY_NAME, missing_reason
from diffranet_utils.studies.scattering.sorting import Task, sort_tables

EXPLAINED = "lenet/unbalanced"  # whose maps and neighbours are looked at
K_NEIGHBOURS = 10
FEATURES = ("ring", "arc", "rod", "halo", "yoneda")  # of the sample, not of the set-up


def step(run):
    """Sort the collection in every way that the preset asks for.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        See `provenance.save_result`. ``details["rows"]`` has one row for each representation,
        split and model.
    """
    collection, asked = ensure_collection(run), run.preset.sorting
    halves = halved(collection, run)
    names = {"random": asked.representations, "session": asked.unseen}
    features, missing = {}, {}
    for split, half in halves.items():
        features[split], missing[split] = all_features(names[split], half, asked.sizes(run.seed))
    for split, reasons in missing.items():
        require(features[split], f"No representation on split {split}: {reasons}. Choose others.")
    tables = scored(run, halves, features)
    rows = [row for split in halves for row in table_rows(split, tables, features)]
    truth = {name: collection.labels[half.test] for name, half in halves.items()}
    values, best = headline(rows, truth)
    details = {
        "rows": [_small(row) for row in rows],
        "missing": missing["random"],
        "table_2": table_2(features["random"]),
        "best": best,
        "paired": shallow_or_deep(rows, truth["random"]),
        "leak": leaks(halves, features["random"].keys(), run),
        "reducers": _reducers(rows),
        "glcm_distances": glcm_distances(run, halves["random"]),
        "n_test": len(halves["random"].test),
    }
    sizes = asked.sizes(run.seed)
    looked_at = features_of_half(BY_NAME[EXPLAINED], halves["random"], sizes)
    maps, details["maps"] = attention_scores(run, halves["random"])
    close, details["neighbours"] = similarity(halves["random"], looked_at)
    real, real_details = real_accuracy()
    return values | maps | close | real, details | real_details


def halved(collection, run):
    """The collection halved at random and by session.

    Returns
    -------
    dict of str to Halves
    """
    folder = run.data_dir / "scattering" / "features"
    return {
        name: Halves(
            collection,
            *split_rows(collection, np.random.default_rng(run.seed), name == "session"),
            name,
            folder,
        )
        for name in ("random", "session")
    }


def all_features(names, half, sizes):
    """Features of every representation that can be had, and why the others cannot.

    Returns
    -------
    features : dict of str to Features
    missing : dict of str to str
    """
    missing = {name: missing_reason(BY_NAME[name], sizes) for name in names}
    features = {
        name: features_of_half(BY_NAME[name], half, sizes)
        for name, reason in missing.items()
        if reason is None
    }
    return features, {name: reason for name, reason in missing.items() if reason}


def scored(run, halves, features):
    """Algorithm 1 on all tables: PCA on both splits, FastICA beside it on one representation.

    Returns
    -------
    dict of str to list of dict
        Name of a task, ``split:representation:reducer``, to its rows.
    """
    asked, tasks = run.preset.sorting, []
    for split, tables in features.items():
        collection, test = halves[split].collection, halves[split].test
        groups = collection.sessions[test] if split == "session" else None
        for name, one in tables.items():
            both = split == "random" and name == next(iter(tables))
            for reducer in ("pca", "ica") if both else ("pca",):
                protocol = asked.protocol(run.seed, reducer)
                label = f"{split}:{name}:{reducer}"
                labels = collection.labels[test]
                tasks.append(Task(label, one.table, labels, groups, asked.models, protocol))
    folder = run.data_dir / "scattering" / "sorted"
    return sort_tables(tasks, folder, run.preset.n_workers, run.scheduler)


def table_rows(split, tables, features):
    """Rows of one split with their representation, reducer and seconds."""
    for label, results in tables.items():
        own, name, reducer = label.split(":")
        if own == split:
            one = features[split][name]
            for result in results:
                facts = {"split": split, "representation": name, "reducer": reducer}
                yield facts | {"start": one.start, "train_s": one.train_s} | result


def headline(rows, truth):
    """The numbers that the scorecard wants, and the best model of each representation.

    Parameters
    ----------
    rows : list of dict
        See `table_rows`.
    truth : dict of str to ndarray of int
        Split to the labels of its test half.

    Returns
    -------
    values : dict
    best : list of dict
        Table 3: the best model by kappa of each representation on each split, with ``pooled``, the
        accuracy over all folds.
    """
    values, tables = {}, {}
    for split, key in (("random", "best_accuracy"), ("session", "best_accuracy_unseen_sessions")):
        names = _names(row for row in rows if _plain(row, split))
        tables[split] = [_best(rows, split, name) for name in names]
        top = max(tables[split], key=lambda row: row["mean"]["kappa"])
        values[key] = metrics.accuracy(truth[split], top["predicted"])
    for key, name in (("lenet_accuracy", EXPLAINED), ("hf_accuracy", "histogram")):
        for row in tables["random"]:
            if row["representation"] == name:
                values[key] = metrics.accuracy(truth["random"], row["predicted"])
    best = [
        _small(row) | {"pooled": metrics.accuracy(truth[split], row["predicted"])}
        for split, table in tables.items()
        for row in table
    ]
    return values, best


def _plain(row, split):
    return row["split"] == split and row["reducer"] == "pca"


def _names(rows):
    return list(dict.fromkeys(row["representation"] for row in rows))


def _best(rows, split, name):
    own = [row for row in rows if _plain(row, split) and row["representation"] == name]
    return max(own, key=lambda row: row["mean"]["kappa"])


def _small(row):
    """A row without the answers and settings, which no page shows."""
    return {key: value for key, value in row.items() if key not in ("predicted", "settings")}


def table_2(features):
    """Seconds of training and of one image for every representation."""
    return {
        name: {"train_s": one.train_s, "image_s": one.image_s, "n_features": one.table.shape[1]}
        for name, one in features.items()
    }


def shallow_or_deep(rows, labels):
    """Is the best deep network better than a shallow representation? Exact McNemar tests.

    Returns
    -------
    list of dict
        For each representation that is not deep: accuracies of both, images that one alone gets
        right, and p; empty where no deep network was computed.
    """
    names = _names(row for row in rows if _plain(row, "random"))
    deep = [_best(rows, "random", name) for name in names if BY_NAME[name].is_deep]
    if not deep:
        return []
    deepest = max(deep, key=lambda row: row["mean"]["kappa"])
    pairs = []
    for name in names:
        if not BY_NAME[name].is_deep:
            row = _best(rows, "random", name)
            test = metrics.mcnemar(labels, row["predicted"], deepest["predicted"])
            pairs.append(
                {"shallow": name, "deep": deepest["representation"]}
                | {"shallow_accuracy": metrics.accuracy(labels, row["predicted"])}
                | {"deep_accuracy": metrics.accuracy(labels, deepest["predicted"])}
                | test
            )
    return pairs


def leaks(halves, names, run):
    """What the random split leaks: is the nearest training image of the test image's own session?

    Measured on histogram features, which know nothing of where light falls.

    Returns
    -------
    dict
        ``sessions_shared``, the share of test images whose session is in the training half;
        ``nearest_is_own``, those whose nearest training image is of their session;
        ``by_chance``, what that share would be if neighbours were drawn within the class.
    """
    half = halves["random"]
    collection, train, test = half.collection, half.train, half.test
    table = cooccurrence(collection.images[np.concatenate([train, test])], 1, run.preset.n_workers)
    rows = nearest(table[: len(train)], table[len(train) :], 1)[:, 0]
    own = collection.sessions[train][rows] == collection.sessions[test]
    same = collection.sessions[train][:, None] == collection.sessions[test]
    peers = collection.labels[train][:, None] == collection.labels[test]
    return {
        "sessions_shared": float(same.any(axis=0).mean()),
        "nearest_is_own": metrics.proportion(int(own.sum()), len(own)),
        "by_chance": float((same.sum(axis=0) / peers.sum(axis=0)).mean()),
    }


def _reducers(rows):
    """PCA beside FastICA on the representation that has both."""
    names = {row["representation"] for row in rows if row["reducer"] == "ica"}
    kept = [r for r in rows if r["split"] == "random" and r["representation"] in names]
    keys = ("representation", "reducer", "model", "mean", "spread", "seconds")
    return [{key: row[key] for key in keys} for row in kept]


def glcm_distances(run, half):
    """Kappa of co-occurrence features at each distance, with untuned extra trees.

    Returns
    -------
    dict of int to float
    """
    protocol, test = replace(run.preset.sorting.protocol(run.seed), n_evaluations=1), half.test
    images, labels = half.collection.images[test], half.collection.labels[test]
    tasks = [
        Task(str(d), cooccurrence(images, d), labels, None, ("et",), protocol)
        for d in GLCM_DISTANCES
        if d < images.shape[1]
    ]
    rows = sort_tables(tasks, run.data_dir / "scattering" / "sorted")
    return {int(name): found[0]["mean"]["kappa"] for name, found in rows.items()}


def explained(run, half, n):
    """Patterns of the test half with their truth, `n` of each technique.

    Returns
    -------
    list of sessions.Pattern
    """
    labels, sessions = half.collection.labels, half.collection.sessions
    n_sessions = run.preset.dataset.n_sessions
    patterns = []
    for label, name in enumerate(TECHNIQUES):
        for row in half.test[labels[half.test] == label][:n]:
            # Rows of a session stand together: the k-th of them is image number + k * n_sessions.
            own = np.flatnonzero(sessions == sessions[row])
            number = int(sessions[row]) - label * n_sessions
            k = number + int(np.searchsorted(own, row)) * n_sessions
            patterns.append(pattern_at(name, run.seed, number, k, run.preset.dataset.size))
    return patterns


def grad_cam_maps(run, half, patterns):
    """Where the LeNet looks for the technique that it names, see `attention.layer_grad_cam`.

    Returns
    -------
    maps : ndarray, shape (n, size, size), float32
    predicted : ndarray, shape (n,), int
    """
    network, to_input = network_of(BY_NAME[EXPLAINED], half, run.preset.sorting.sizes(run.seed))
    images = np.stack([pattern.image for pattern in patterns])
    x = to_input(images)
    with torch.no_grad():
        predicted = network(x).argmax(dim=1)
    layer = network.convolutions[-1]
    maps = layer_grad_cam(network, layer, x.requires_grad_(), predicted, images.shape[1:])
    return maps, predicted.numpy()


def attention_scores(run, half):
    """Grad-CAM against the truth: how much of it falls on rings, arcs, rods, halo and Yoneda band.

    Returns
    -------
    values : dict
        ``map_on_truth``, attention on those pixels over what an even map would have, the mean of
        all images that show any.
    details : list of dict
        One an image.
    """
    patterns = explained(run, half, run.preset.sorting.n_explained)
    maps, predicted = grad_cam_maps(run, half, patterns)
    rows = []
    for pattern, one, label in zip(patterns, maps, predicted, strict=True):
        masks = [mask for name, mask in pattern.masks.items() if name in FEATURES]
        share, area = concentration(one, np.any(masks, axis=0))
        facts = {"technique": pattern.technique, "predicted": TECHNIQUES[label]}
        rows.append(facts | {"share": share, "area": area})
    ratios = [row["share"] / row["area"] for row in rows if row["area"] > 0]
    return {"map_on_truth": plain_value(float(np.mean(ratios)))}, rows


def similarity(half, features):
    """Precision at ten of a search in the test half, each image once the query.

    Returns
    -------
    values : dict
    details : dict
        ``by_technique``, and ``queries``: one query of each technique with the rows found, both as
        rows of the collection.
    """
    labels = half.collection.labels[half.test]
    k = min(K_NEIGHBOURS, len(labels) - 1)
    others = _without_self(nearest(features.table, features.table, k + 1), k)
    precision = precision_at(others, labels, labels)
    queries = {}
    for label, name in enumerate(TECHNIQUES):
        query = int(np.flatnonzero(labels == label)[0])
        queries[name] = [int(half.test[query]), *half.test[others[query]].tolist()]
    by_technique = {n: float(precision[labels == k].mean()) for k, n in enumerate(TECHNIQUES)}
    right = round(float(precision.sum() * k))
    values = {"precision_at_10": metrics.proportion(right, k * len(labels))}
    details = {"by_technique": by_technique, "queries": queries}
    return values, details | {"graph": graph_search(features.table, labels, others)}


def _without_self(rows, k):
    """The k nearest of each row that are not the row itself."""
    return np.array([row[row != own][:k] for own, row in enumerate(rows)])


def graph_search(table, labels, exact):
    """The same search by a graph of neighbours (faiss, HNSW) beside the exhaustive one.

    Parameters
    ----------
    table : ndarray, shape (n, n_features)
    labels : ndarray, shape (n,), int
    exact : ndarray, shape (n, k), int
        What the exhaustive search found.

    Returns
    -------
    dict
        ``precision`` at k, and ``agreement``, the fraction of the true neighbours that are found;
        ``reason`` where faiss is not installed.
    """
    if not has_graph_search():
        return {"reason": "faiss is not installed"}
    k = exact.shape[1]
    rows = _without_self(nearest_by_graph(table, table, k + 1), k)
    shared = [len(set(one) & set(other)) / k for one, other in zip(rows, exact, strict=True)]
    precision = precision_at(rows, labels, labels)
    return {"precision": float(precision.mean()), "agreement": float(np.mean(shared))}
