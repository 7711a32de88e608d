"""Chapter 91's comparison: every model on every way of holding structures out."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sklearn.model_selection import GridSearchCV, KFold

from diffranet_utils.records.metrics import mcnemar, proportion
from diffranet_utils.studies.space_groups import own_best, scores
from diffranet_utils.studies.space_groups.claims import TABLE_S1
from diffranet_utils.studies.space_groups.collection import curves_of, entries_file, load_entries
from diffranet_utils.studies.space_groups.evaluation_data import measured_curves, other_database
from diffranet_utils.studies.space_groups.kept_networks import kept_network
from diffranet_utils.studies.space_groups.labels import (
    GROUPS,
    NUMBERS,
    SYSTEMS,
    crystal_system,
    symbol,
)
from diffranet_utils.studies.space_groups.models import (
    N_CLASSES,
    NetworkSettings,
    logistic_regression,
    quadratic_features,
    randomised_trees,
)
from diffranet_utils.studies.space_groups.network_training import FitSettings, predict
from diffranet_utils.studies.space_groups.training_sets import split_rows, training_curves

MOST_PASSES = 60  # of stochastic gradient descent; the products need fewer
PRODUCT_PASSES = 8
ASKED = {"sgdclassifier__alpha": "alpha", "sgdclassifier__l1_ratio": "l1_share"}
SYSTEM_OF_CLASS = np.array([SYSTEMS.index(crystal_system(number)) for number in NUMBERS])


@dataclass(frozen=True)
class Bench:
    """Curves, splits and sizes that all models share.

    Parameters
    ----------
    run : provenance.Run
    """

    run: object

    @property
    def asked(self):
        """Sizes of this run, `presets.Groups`."""
        return self.run.preset.groups

    @property
    def folder(self):
        """Where structures, curves and networks are kept, for all presets together."""
        return self.run.data_dir.parent / "space_groups"

    @cached_property
    def _data(self):
        a = self.asked
        amounts = own_best.Amounts(a.n_varied, a.n_substituted, a.n_random)
        return own_best.load_data(
            self.folder / "structures",
            amounts,
            self.run.seed,
            a.stride,
            a.cif_dir,
            self.run.preset.n_workers,
        )

    @property
    def entries(self):
        """Different structures."""
        return self._data[0]

    @property
    def plain(self):
        """One curve of each."""
        return self._data[1]

    @property
    def made(self):
        """Varied, substituted and random curves."""
        return self._data[2]

    @cached_property
    def splits(self):
        """Training and test rows by kind."""
        seed = self.run.seed
        return {
            kind: split_rows(self.plain, kind, own_best.split_generator(seed, kind))
            for kind in self.asked.splits
        }

    def parts(self, kind):
        """Plain training and test curves of a split."""
        return tuple(self.plain.take(rows) for rows in self.splits[kind])

    @cached_property
    def own(self):
        """Our model by split; that of the random split also answers for everything else."""
        settings = own_best.own_settings(self.asked.own_epochs, self.run.seed)
        found = {}
        for kind, rows in self.splits.items():
            train = training_curves(self.plain, self.made, *rows, kind)
            network, _ = kept_network(own_best.OWN_SIZES, train, settings, self.folder / "networks")
            plain = self.plain.take(rows[0])
            trees = own_best.featured_trees(plain, self.asked.n_trees, self.run.seed)
            found[kind] = own_best.OwnModel(network, trees)
        return found

    @cached_property
    def cnn(self):
        """The paper's network: its ensemble, and the history of the first member, on the random
        split.
        """
        train, test = self.parts("random")
        members = [
            kept_network(
                NetworkSettings(), train, self._cnn_settings(k), self.folder / "networks", test
            )
            for k in range(self.asked.cnn_members)
        ]
        return [network for network, _ in members], members[0][1]

    def _cnn_settings(self, k):
        return FitSettings(epochs=self.asked.cnn_epochs, seed=self.run.seed + k)


def with_all_classes(model, x):
    """Probabilities of a scikit-learn model in all 45 columns, zero for groups it never met."""
    probabilities = np.zeros((len(x), N_CLASSES))
    probabilities[:, model.classes_] = model.predict_proba(x)
    return probabilities


def collection_rows(plain):
    """The 45 groups of Table 1: number, symbol, entries in the paper and here."""
    ours = np.bincount(plain.labels, minlength=N_CLASSES)
    return [
        {"group": number, "symbol": name, "paper": paper, "ours": int(ours[k])}
        for k, (number, (name, paper)) in enumerate(GROUPS.items())
    ]


def regressions(bench):
    """Logistic regression on X and on its products, alpha and l1 share by cross-validation.

    Parameters
    ----------
    bench : Bench

    Returns
    -------
    values, details : dict
    """
    train, test = bench.parts("random")
    rng = np.random.default_rng(bench.run.seed)
    some = train.take(np.sort(rng.permutation(len(train))[: bench.asked.n_products]))
    values, details = {}, {}
    for name, features, learnt, n, passes in (
        ("lr", np.asarray, train, bench.asked.n_search, MOST_PASSES),
        ("lr_products", quadratic_features, some, bench.asked.n_search // 4, PRODUCT_PASSES),
    ):
        search = _searched(features, learnt, n, passes, bench)
        best = search.best_params_
        model = logistic_regression(seed=bench.run.seed, passes=passes).set_params(**best)
        model.fit(features(learnt.x), learnt.labels)
        probabilities = with_all_classes(model, features(test.x))
        values |= scores.both_tops(f"{name}_random", probabilities, test.labels)
        details[name] = {
            "grid": _grid_rows(search),
            "chosen": {ASKED[key]: value for key, value in best.items()},
            "n_train": len(learnt),
            "accuracies": scores.accuracies(probabilities, test.labels),
            "groups": scores.group_rows(probabilities, test.labels, learnt.labels),
        }
    return values, details


def _grid_rows(search):
    found = zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True)
    return [
        {ASKED[key]: value for key, value in asked.items()} | {"accuracy": float(accuracy)}
        for asked, accuracy in found
    ]


def _searched(features, train, n, passes, bench):
    rows = np.sort(np.random.default_rng(bench.run.seed).permutation(len(train))[:n])
    candidates = (bench.asked.alphas, bench.asked.l1_shares)
    grid = {key: list(values) for key, values in zip(ASKED, candidates, strict=True)}
    model = logistic_regression(seed=bench.run.seed, passes=passes)
    folds = KFold(3, shuffle=True, random_state=bench.run.seed)
    return GridSearchCV(model, grid, cv=folds, refit=False).fit(
        features(train.x[rows]), train.labels[rows]
    )


def paper_network(bench):
    """The paper's network on its random split: Figures 2, 3, 5 and 6.

    Parameters
    ----------
    bench : Bench

    Returns
    -------
    values, details : dict
    """
    train, test = bench.parts("random")
    networks, history = bench.cnn
    probabilities = predict(networks, test.x)
    counts = scores.confusion_counts(probabilities, test.labels)
    related, by_chance = scores.related_share(counts)
    values = scores.both_tops("cnn_random", probabilities, test.labels) | {
        "cnn_errors_between_relatives": related
    }
    return values, {
        "history": history,
        "accuracies": scores.accuracies(probabilities, test.labels),
        "groups": scores.group_rows(probabilities, test.labels, train.labels),
        "confusion": counts.tolist(),
        "related_by_chance": by_chance,
        "teardrops": scores.teardrops(counts),
    }


def forests(bench):
    """Trees on every split, on duplicates too, and the six commonest groups for comparison.

    Parameters
    ----------
    bench : Bench

    Returns
    -------
    values, details : dict
    """
    values, details = {}, {}
    for kind in bench.splits:
        train, test = bench.parts(kind)
        probabilities = _forest(train, test.x, bench)
        values |= scores.both_tops(f"trees_{kind}", probabilities, test.labels)
        details[kind] = {
            "accuracies": scores.accuracies(probabilities, test.labels),
            "commonest_six": _commonest(train, test),
        }
    train, test = _duplicates(bench)
    values |= scores.both_tops(
        "trees_duplicates_random", _forest(train, test.x, bench), test.labels
    )
    return values, details


def _forest(train, x, bench):
    model = randomised_trees(bench.asked.n_trees, bench.run.seed, bench.run.preset.n_workers)
    return with_all_classes(model.fit(train.x, train.labels), x)


def _commonest(train, test):
    counts = np.bincount(train.labels, minlength=N_CLASSES)
    return scores.top_entry(np.tile(counts, (len(test), 1)), test.labels, scores.MOST_RANKS)


def _duplicates(bench):
    """The random split of the collection before duplicates were removed."""
    path = entries_file(bench.folder / "structures", bench.asked.cif_dir, bench.asked.stride)
    curves = curves_of(load_entries(path))
    rows = split_rows(curves, "random", own_best.split_generator(bench.run.seed, "random"))
    return tuple(curves.take(part) for part in rows)


def own_networks(bench):
    """Our model, its network and its trees on every split.

    Parameters
    ----------
    bench : Bench

    Returns
    -------
    values, details : dict
    """
    values, details = {}, {}
    for kind in bench.splits:
        train, test = bench.parts(kind)
        model = bench.own[kind]
        probabilities = model.answers(test.x)
        counts = scores.confusion_counts(probabilities, test.labels)
        values |= scores.both_tops(f"best_{kind}", probabilities, test.labels)
        for part, answer in (("network", model.of_network), ("featured_trees", model.of_trees)):
            values |= scores.both_tops(f"{part}_{kind}", answer(test.x), test.labels)
        details[kind] = {
            "accuracies": scores.accuracies(probabilities, test.labels),
            "groups": scores.group_rows(probabilities, test.labels, train.labels),
            "confusion": counts.tolist(),
            "teardrops": scores.teardrops(counts),
        }
    return values, details


def hierarchy(bench):
    """Crystal system first, then the group within it, against all groups at once; with trees.

    Parameters
    ----------
    bench : Bench

    Returns
    -------
    values, details : dict
        Details hold McNemar's test of the difference in top-1.
    """
    values, details = {}, {}
    for kind in bench.splits:
        train, test = bench.parts(kind)
        flat, staged = _forest(train, test.x, bench), _staged(train, test.x, bench)
        systems = np.stack(
            [flat[:, k == SYSTEM_OF_CLASS].sum(axis=1) for k in range(len(SYSTEMS))], axis=1
        )
        right = systems.argmax(axis=1) == SYSTEM_OF_CLASS[test.labels]
        values |= scores.both_tops(f"hierarchy_{kind}", staged, test.labels)
        values[f"trees_{kind}_system"] = proportion(int(right.sum()), len(right))
        details[kind] = mcnemar(test.labels, flat.argmax(axis=1), staged.argmax(axis=1))
    return values, details


def _staged(train, x, bench):
    system = SYSTEM_OF_CLASS[train.labels]
    first = randomised_trees(bench.asked.n_trees, bench.run.seed, bench.run.preset.n_workers).fit(
        train.x, system
    )
    share = dict(zip(first.classes_, first.predict_proba(x).T, strict=True))
    staged = np.zeros((len(x), N_CLASSES))
    for k, of_system in share.items():
        staged += of_system[:, None] * _forest(train.take(system == k), x, bench)
    return staged


def elsewhere(bench, folder):
    """Another data base and measured curves: what no random split can tell.

    Parameters
    ----------
    bench : Bench
    folder : Path or None
        From `evaluation_data.evaluation_folder`; without it there is nothing to measure.

    Returns
    -------
    values, details : dict
    """
    if folder is None:
        return {}, {"measured": []}
    values, details = _other_database(bench, folder)
    names, groups, x = measured_curves(folder)
    details["measured"] = []
    own = bench.own["random"]
    answers = {
        "cnn_measured": lambda curves: predict(bench.cnn[0], curves),
        "measured": own.answers,
        "network_measured": own.of_network,
    }
    for title, answer in answers.items():
        if names:
            rows = table_3(names, groups, answer(x))
            values |= {f"{title}_top{k}": _counted(rows, k) for k in (1, scores.MOST_RANKS)}
            details["measured"] += [{"model": title} | row for row in rows]
    return values, details


def table_3(names, groups, probabilities):
    """Six most probable groups of each measured curve, as in the paper's Table 3.

    Parameters
    ----------
    names, groups : sequence
        Samples and the numbers of their groups, which need not be among the study's.
    probabilities : ndarray, shape (n, 45)

    Returns
    -------
    list of dict
        ``sample``, ``group``, ``ranked`` (six symbols), ``rank`` of the right one or None.
    """
    rows = []
    for name, group, row in zip(names, groups, probabilities, strict=True):
        ranked = [NUMBERS[k] for k in np.argsort(-row, kind="stable")[: scores.MOST_RANKS]]
        rank = ranked.index(group) + 1 if group in ranked else None
        rows.append(
            {
                "sample": name,
                "group": group,
                "ranked": [symbol(number) for number in ranked],
                "rank": rank,
            }
        )
    return rows


def _counted(rows, k):
    return proportion(sum(row["rank"] is not None and row["rank"] <= k for row in rows), len(rows))


def _other_database(bench, folder):
    curves, is_new = other_database(folder, bench.entries, bench.asked.n_other)
    if curves is None:
        return {}, {}
    train, _ = bench.parts("random")
    answers = {
        "trees": _forest(train, curves.x, bench),
        "cnn": predict(bench.cnn[0], curves.x),
        "best": bench.own["random"].answers(curves.x),
        "network": bench.own["random"].of_network(curves.x),
    }
    values = {}
    for name, probabilities in answers.items():
        values |= scores.both_tops(f"{name}_other_database", probabilities, curves.labels)
    if is_new.any():
        values |= scores.both_tops(
            "best_other_database_new", answers["best"][is_new], curves.labels[is_new]
        )
    return values, {"other": _calibration(bench, answers["best"], curves)}


def _calibration(bench, probabilities, curves):
    """Reliability on the other data base, with the temperature that the hardest split asks for."""
    temperature = held_out_temperature(bench, own_best.OwnModel.answers)
    rows, error = scores.reliability(scores.softened(probabilities, temperature), curves.labels)
    return {
        "temperature": temperature,
        "reliability": rows,
        "calibration_error": error,
        "calibration_error_raw": scores.reliability(probabilities, curves.labels)[1],
        "accuracies": scores.accuracies(probabilities, curves.labels),
        "groups": scores.group_rows(probabilities, curves.labels, bench.plain.labels),
    }


def held_out_temperature(bench, answer):
    """Temperature of our model from the last of the splits, whose structures are least like the
    training's.

    Parameters
    ----------
    bench : Bench
    answer : callable
        From an `own_best.OwnModel` and curves to probabilities: of all of it, or of its network.

    Returns
    -------
    float
    """
    kind = list(bench.splits)[-1]
    _, test = bench.parts(kind)
    return scores.best_temperature(answer(bench.own[kind], test.x), test.labels)


def table_s1(bench):
    """Rows of the paper's Table S1 trained again, each for a few epochs.

    Parameters
    ----------
    bench : Bench

    Returns
    -------
    values : dict
        Empty: these networks are too briefly trained to be results.
    details : list of dict
        The row's sizes, ``paper_top1``, ``paper_top6`` and our entries ``top1``, ``top6``.
    """
    train, test = bench.parts("random")
    rows = []
    for number in bench.asked.sweep_rows:
        filters, kernel, hidden, members, top1, top6 = TABLE_S1[number - 1]
        networks = []
        for k in range(members):
            settings = FitSettings(epochs=bench.asked.sweep_epochs, seed=bench.run.seed + k)
            sizes = NetworkSettings(filters, kernel, hidden)
            networks.append(kept_network(sizes, train, settings, bench.folder / "networks")[0])
        entries = scores.both_tops("own", predict(networks, test.x), test.labels)
        rows.append(
            {
                "filters": filters,
                "kernel": kernel,
                "hidden": hidden,
                "members": members,
                "paper_top1": top1,
            }
            | {"paper_top6": top6, "top1": entries["own_top1"], "top6": entries["own_top6"]}
        )
    return {}, rows
