"""Heavy step of chapter 81: train the paper's network, make its tables, and ask what it does
not.
"""

import time
from dataclasses import asdict, dataclass

import numpy as np
import torch
from pandas import DataFrame

from diffranet_utils.core import distributed
from diffranet_utils.learning.checkpoints import work_name
from diffranet_utils.records import metrics
from diffranet_utils.records.provenance import origin, plain_value
from diffranet_utils.studies.drops import baseline, comparisons, dataset, explain, network, scores
from diffranet_utils.studies.drops.bench import Bench
from diffranet_utils.studies.drops.crops import Crops, Shelf
from diffranet_utils.studies.drops.labels import CLASSES, Label

CHAPTER = "81_inception_on_drops"
N_TIMED = 24


@dataclass(frozen=True)
class Drops:
    """One split: rows of the manifest and its pictures, in the same order."""

    rows: DataFrame
    shelf: Shelf

    def of(self, places):
        """The split with some of its pictures only."""
        return Drops(self.rows.iloc[places].reset_index(drop=True), self.shelf.part(places))


def step(run):
    """Train once for the tables and figures, then for each comparison.

    Parameters
    ----------
    run : provenance.Run

    Returns
    -------
    values, details : dict
        For `provenance.save_result`. The network goes to ``<models_dir>/drops.safetensors``.
    """
    root, asked = dataset.ensure_dataset(run), run.preset.network
    bench = Bench(
        asked, run.results_dir / "checkpoints" / f"{CHAPTER}_{work_name(run, root, __name__)}"
    )
    sets = {name: _split(root, name, bench) for name in ("train", "validation", "test")}
    parts = [_main(run, bench, sets)]
    parts += [
        _left_out(run, bench, sets),
        comparisons.label_errors(run, bench, sets),
        comparisons.variants(run, bench, sets),
        _forest(run, sets),
    ]
    bench.forget()
    values, details = ({key: v for part in parts for key, v in part[k].items()} for k in (0, 1))
    return values, details | {
        "training_seconds": _seconds(bench),
        "n": {k: len(s.rows) for k, s in sets.items()},
    }


def _split(root, name, bench):
    return Drops(dataset.rows_of(root, name), bench.shelf(dataset.entries_of(root, name).entries))


def _seconds(bench):
    return {
        name: sum(row["seconds"] for row in history) for name, history in bench.histories.items()
    }


def _main(run, bench, sets):
    """The network of the chapter: Tables 3, 4 and 5, Figures 2, 3 and 4, the price of a miss, the
    time of a picture.
    """
    asked = run.preset.network
    trained = bench.train(
        "main", sets["train"].shelf, asked.training, run.seed, sets["validation"].shelf
    )
    if distributed.is_leader():
        about = {
            "history": bench.histories["main"],
            "settings": asdict(asked.training),
            "origin": origin(),
        }
        network.save_model(
            run.models_dir / f"drops{run.mark}.safetensors",
            trained,
            asked.shape,
            asked.framing,
            about,
        )
    seen = {
        name: bench.judge(trained, sets[name].shelf, title=name) for name in ("validation", "test")
    }
    values, details = judged(
        seen["validation"], seen["test"], sets["test"].rows, np.random.default_rng(run.seed)
    )
    trained.cpu()
    looks = explain.scores(
        trained, asked.framing, sets["test"].rows, run.preset.dataset.shares, asked.n_explained
    )
    values |= explain.attention_values(looks) | {
        "ms_per_image": ms_per_image(trained, sets["test"].shelf, asked)
    }
    values["parameters"] = plain_value(network.n_parameters(trained), "")
    details |= {
        "history": bench.histories["main"],
        "settings": asdict(asked.training),
        "attention": looks,
    }
    return values, details | {
        "table_3": network.table_3(asked.shape),
        "framing": vars(asked.framing),
    }


def judged(validation, test, rows, rng):
    """Everything that follows from what a network says of the validation and the test pictures.

    Parameters
    ----------
    validation, test : predict.Predictions
        Thresholds are chosen on the first and judged on the second.
    rows : DataFrame
        Of the manifest, of the test split.
    rng : numpy.random.Generator
        Of the bootstrap.

    Returns
    -------
    values, details : dict
    """
    imagers = rows.imager.to_numpy()[test.numbers]
    values, curves = {"accuracy": metrics.accuracy(test.labels, test.classes)}, {}
    for key, name in (("crystal", "crystals"), ("precipitate", "precipitate")):
        column, label = test.probabilities[:, CLASSES.index(name)], CLASSES.index(name)
        curves[name] = scores.roc(test.labels == label, column)
        values[f"{key}_auc"] = scores.auc_entry(test.labels == label, column, rng)
        for rate, _ in scores.OPERATING_POINTS[name]:
            place = f"{100 * rate:g}".replace(".", "_")
            values[f"{key}_recall_at_{place}_percent"] = curves[name].recall_at(rate)
    chosen_on = scores.roc(
        validation.labels == Label.CRYSTALS, validation.probabilities[:, Label.CRYSTALS]
    )
    return values, {
        "confusion": metrics.confusion(test.labels, test.classes, Label),
        "spread": [
            [None if np.isnan(entry) else entry for entry in row]  # JSON has no NaN
            for row in scores.spread_over_groups(test.labels, test.classes, imagers)
        ],
        "accuracy_by_imager": {
            str(name): metrics.accuracy(test.labels[imagers == name], test.classes[imagers == name])
            for name in np.unique(imagers)
        },
        "roc": {
            n: {"false_positive": c.false_positive, "recall": c.recall} for n, c in curves.items()
        },
        "price": scores.price_table(chosen_on, curves["crystals"]),
        "by_variety": _by_variety(test, rows),
    }


def _by_variety(test, rows):
    varieties = rows.variety.to_numpy()[test.numbers]
    right = test.classes == test.labels
    return [
        {"class": CLASSES[test.labels[varieties == name][0]], "variety": str(name)}
        | {
            "accuracy": metrics.proportion(
                int(right[varieties == name].sum()), int((varieties == name).sum())
            )
        }
        for name in np.unique(varieties)
    ]


def _left_out(run, bench, sets):
    """Table 6: an imager that training has not seen, beside the main network's word on the same
    pictures.
    """
    asked, truth, predicted, rows = run.preset.network, [], [], []
    for name in asked.left_out:
        kept, held_out = (
            np.flatnonzero((sets[s].rows.imager == name) == (s == "test"))
            for s in ("train", "test")
        )
        settings = asked.short_training(asked.left_out_epochs)
        trained = bench.train(f"without_{name}", sets["train"].shelf.part(kept), settings, run.seed)
        seen = bench.judge(trained, sets["test"].shelf.part(held_out))
        entries = scores.crystal_scores(seen.labels, seen.classes)
        confusion = metrics.confusion(seen.labels, seen.classes, Label)
        rows.append(
            {
                "imager": name,
                "n_train": len(kept),
                "epochs": settings.epochs,
                "confusion": confusion,
            }
            | entries
        )
        truth.append(seen.labels)
        predicted.append(seen.classes)
    pooled = scores.crystal_scores(np.concatenate(truth), np.concatenate(predicted))
    return {f"{name}_left_out_imager": e for name, e in pooled.items() if e}, {"left_out": rows}


def _forest(run, sets):
    """The simple rival: texture features and a random forest, on the squares that the network
    sees.
    """
    crop, workers = run.preset.network.crop, run.preset.n_workers
    tables = {}
    for name in ("train", "test"):
        places, table = baseline.texture_table(sets[name].shelf, crop, workers)
        tables[name] = table, sets[name].shelf.labels[places]
    model = baseline.forest(*tables["train"], run.seed, workers)
    table, truth = tables["test"]
    predicted, chance = model.predict(table), model.predict_proba(table)
    crystals = list(model.classes_).index(Label.CRYSTALS)
    values = {
        "forest_accuracy": metrics.accuracy(truth, predicted),
        "forest_crystal_auc": scores.auc_entry(
            truth == Label.CRYSTALS, chance[:, crystals], np.random.default_rng(run.seed)
        ),
    }
    return values, {"forest_confusion": metrics.confusion(truth, predicted, Label)}


def ms_per_image(trained, shelf, asked):
    """Processor time to judge one picture on one core, from its file to the four probabilities: the
    median.

    Parameters
    ----------
    trained : Inception
        On the CPU.
    shelf : crops.Shelf
        Whose first pictures are judged, one by one.
    asked : presets.Network

    Returns
    -------
    dict
        A record entry in milliseconds.
    """
    threads, took = torch.get_num_threads(), []
    torch.set_num_threads(1)
    try:
        trained.eval()
        for entry in shelf.entries[: N_TIMED + 1]:
            start = time.process_time()
            _, square = Crops(Shelf((entry,), asked.short_side), asked.crop)[0]
            if square is not None:
                with torch.inference_mode():
                    trained(square[None]).softmax(1)
                took.append(time.process_time() - start)
    finally:
        torch.set_num_threads(threads)
    return plain_value(1000 * float(np.median(took[1:])), "ms")
