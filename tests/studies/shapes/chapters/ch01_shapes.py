"""The chapter on shapes: a data set, a searched forest on textures, a small network, and what they
get right.
"""

import numpy as np
import torch

from diffranet_utils.data.split import ensure_dataset, load_split
from diffranet_utils.learning.networks.resnet import build_deepfreak
from diffranet_utils.learning.networks.topologies import Topology
from diffranet_utils.learning.training import evaluate, train
from diffranet_utils.learning.training_settings import Settings
from diffranet_utils.records import metrics
from diffranet_utils.search.space import PAPER_SPACE
from diffranet_utils.search.tpe import Evaluator
from diffranet_utils.search.trials import best_trial, run_search
from tests.studies.shapes.study import SIZE, Shape, recipe

SMALL = Topology("small", filters=4, second_pool=4, blocks=(1, 1, 1, 1), block_strides=(1, 2, 2, 1))


def step(run):
    """Heavy step: values and details of the record."""
    root = ensure_dataset(run.data_dir, recipe(run.preset), run.seed)
    train_split, validation, test = (
        load_split(root, name, {"synthetic": Shape}) for name in ("train", "validation", "test")
    )
    space = PAPER_SPACE.part(("glcm", "lbp"), ("rf",))
    evaluator = Evaluator(
        train_split, validation, run, n_classes=len(Shape), is_hit=run.study.is_hit
    )
    trials = run_search(evaluator, 3, run.seed, run.results_dir / "trials.jsonl", space=space)
    found = evaluator.fit(best_trial(trials, "classifier", "rf")["config"]).predict(test.images)

    generator = torch.Generator().manual_seed(run.seed)
    network = build_deepfreak(SMALL, n_classes=len(Shape), image_size=SIZE, generator=generator)
    settings = Settings(
        epochs=run.preset.sizes.epochs, batch_size=6, learning_rate=0.01, seed=run.seed
    )
    history = train(network, train_split, settings, validation)
    on_test = evaluate(network, test)
    values = {
        "shapes_test_accuracy": metrics.accuracy(test.labels, found),
        "rings_hit_accuracy": metrics.hit_accuracy(test.labels, found, run.study.is_hit),
        "network_test_accuracy": metrics.accuracy(test.labels, on_test.predicted),
    }
    matrix = metrics.confusion(test.labels, found, Shape)
    recall = metrics.per_class(matrix, run.study.class_names)["recall"]
    return values, {
        "confusion": matrix,
        "recall": list(np.array(recall, float)),
        "history": history,
    }
