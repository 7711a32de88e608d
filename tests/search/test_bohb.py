"""The search: HpBandSter's own services on closed-form losses, its records, its failures and its
resumption.
"""

import json
import math
import socket
import threading
import time

import numpy as np
import pytest

pytest.importorskip("hpbandster")
from diffranet_utils.core.errors import DiffranetError, InputError
from diffranet_utils.data.split import Split
from diffranet_utils.learning import checkpoints
from diffranet_utils.records import provenance
from diffranet_utils.search import bohb, bohb_remote
from diffranet_utils.studies.diffranet import presets
from diffranet_utils.studies.diffranet.chapters import ch41_bohb_search as network_search
from diffranet_utils.studies.diffranet.study import STUDY

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SETTINGS = bohb.SearchSettings(min_budget=1, max_budget=9, n_iterations=2, seed=3, timeout_s=20)


def closed_form(config_id, config, budget):
    """Smallest at learning rate 0.01, whatever the budget."""
    return (math.log10(config["learning_rate"]) + 2) ** 2 + 1 / budget, {"budget": budget}


def counted(evaluate):
    calls = []

    def wrapper(config_id, config, budget):
        calls.append((config_id, budget))
        return evaluate(config_id, config, budget)

    return wrapper, calls


def key(run):
    return tuple(run["config_id"]), run["budget"], tuple(sorted(run["config"].items())), run["loss"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    return folder, bohb.run_bohb(closed_form, bohb.search_space(seed=3), SETTINGS, folder)


def test_search_runs_the_planned_rungs(finished):
    _, runs = finished
    planned = {}
    for iteration, rungs in enumerate(bohb.brackets(SETTINGS)):
        for n, budget in rungs:
            planned[iteration, budget] = n
    done = {}
    for run in runs:
        place = run["config_id"][0], run["budget"]
        done[place] = done.get(place, 0) + 1
    assert done == planned


def test_brackets_of_hyperband_paper():
    # Li et al. (2017), Table 1: R = 81, eta = 3; HpBandSter rounds the later brackets down.
    first = bohb.brackets(bohb.SearchSettings(1, 81, 1))[0]
    assert [n for n, _ in first] == [81, 27, 9, 3, 1]
    assert [round(b, 9) for _, b in first] == [1, 3, 9, 27, 81]


def test_better_configurations_advance(finished):
    _, runs = finished
    first = {
        tuple(r["config_id"]): r["loss"]
        for r in runs
        if r["config_id"][0] == 0 and r["budget"] == 1
    }
    advanced = {tuple(r["config_id"]) for r in runs if r["config_id"][0] == 0 and r["budget"] == 3}
    assert advanced == set(sorted(first, key=first.get)[: len(advanced)])


def test_json_lines_hold_every_run(finished):
    folder, runs = finished
    lines = [json.loads(line) for line in (folder / "runs.jsonl").read_text().splitlines()]
    assert [key(line) for line in lines] == [key(run) for run in runs]
    assert all(
        line["loss"] == closed_form(None, line["config"], line["budget"])[0] for line in lines
    )


def test_configurations_lie_in_the_papers_space(finished):
    _, runs = finished
    for run in runs:
        config = run["config"]
        assert 1 <= config["topology"] <= 13 and config["batch_size"] in (4, 8, 16, 32, 64)
        assert 1e-4 <= config["learning_rate"] <= 10 and 0.5 <= config["momentum"] < 1
        assert 1e-5 <= config["weight_decay"] <= 5e-5


def test_same_seed_same_search(finished, tmp_path):
    _, runs = finished
    again = bohb.run_bohb(closed_form, bohb.search_space(seed=3), SETTINGS, tmp_path)
    assert [key(run) for run in again] == [key(run) for run in runs]


def test_killed_search_goes_on_to_the_same_runs(finished, tmp_path):
    folder, runs = finished
    lines = (folder / "runs.jsonl").read_text().splitlines()
    (tmp_path / "runs.jsonl").write_text("\n".join(lines[:7]) + '\n{"config_id": [0, 0')
    evaluate, calls = counted(closed_form)
    resumed = bohb.run_bohb(evaluate, bohb.search_space(seed=3), SETTINGS, tmp_path)
    assert [key(run) for run in resumed] == [key(run) for run in runs]
    assert len(calls) == len(runs) - 7


def test_model_proposes_after_enough_results(tmp_path):
    settings = bohb.SearchSettings(
        min_budget=1, max_budget=3, n_iterations=12, seed=1, timeout_s=20
    )
    runs = bohb.run_bohb(closed_form, bohb.search_space(seed=1), settings, tmp_path)
    proposed = {tuple(r["config_id"]): r for r in runs if r["model_based"]}
    random = [r for r in runs if not r["model_based"] and r["budget"] == 1]
    assert len(proposed) >= 4

    def distance(some):
        return np.median([abs(math.log10(r["config"]["learning_rate"]) + 2) for r in some])

    assert distance(proposed.values()) < distance(random)


def test_failures_are_recorded_losses(tmp_path):
    def fails(config_id, config, budget):
        if config_id[2] == 0:
            raise ValueError("no such image")
        return (math.nan if config_id[2] == 1 else np.float64(0.25)), {"n": np.int64(4)}

    settings = bohb.SearchSettings(min_budget=1, max_budget=3, seed=5, timeout_s=20)
    runs = bohb.run_bohb(fails, bohb.search_space(seed=5), settings, tmp_path)
    by_id = {run["config_id"][2]: run for run in runs if run["budget"] == 1}
    assert by_id[0]["loss"] == by_id[1]["loss"] == bohb.CRASH_LOSS
    assert by_id[0]["info"]["error"] == "ValueError: no such image"
    assert by_id[1]["info"]["error"] == "the loss is nan"
    assert by_id[2]["loss"] == 0.25 and by_id[2]["info"] == {"n": 4}
    assert bohb.incumbent(runs)["config_id"] == [0, 0, 2]


def test_stuck_worker_ends_in_a_message(tmp_path):
    release = threading.Event()

    def stuck(config_id, config, budget):
        release.wait(30)
        return 0.5, {}

    settings = bohb.SearchSettings(min_budget=1, max_budget=3, timeout_s=3)
    with pytest.raises(DiffranetError, match=r"waiting for configuration \(0, 0, 0\) at budget 1"):
        bohb.run_bohb(stuck, bohb.search_space(), settings, tmp_path)
    release.set()
    for thread in [thread for thread in threading.enumerate() if thread.name == "search"]:
        thread.join(20)
        assert not thread.is_alive()
    assert not (
        tmp_path / "runs.jsonl"
    ).exists()  # what came late is not written: a new search may be at work


def test_unfinished_work_is_found_again_only_where_nothing_changed(tmp_path):
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("id\n1\n")
    runs = [
        provenance.start_run(STUDY, name, seed, tmp_path, tmp_path)
        for name, seed in (("smoke", 1), ("workshop", 1), ("smoke", 2))
    ]
    bohb, other = "diffranet_utils.search.bohb", "diffranet_utils.core.errors"
    names = [checkpoints.work_name(run, tmp_path, bohb) for run in runs]
    names.append(checkpoints.work_name(runs[0], tmp_path, other))
    assert checkpoints.work_name(runs[0], tmp_path, bohb) == names[0]
    manifest.write_text("id\n2\n")
    assert len({*names, checkpoints.work_name(runs[0], tmp_path, bohb)}) == 5


def test_two_workers_share_the_work(tmp_path):
    def evaluate(config_id, config, budget):
        if config_id[2] < 2 and budget == 1:
            barrier.wait(10)
        return closed_form(config_id, config, budget)

    barrier = threading.Barrier(2)  # two evaluations must be under way at once to pass it
    settings = bohb.SearchSettings(min_budget=1, max_budget=3, n_workers=2, timeout_s=20)
    runs = bohb.run_bohb(evaluate, bohb.search_space(), settings, tmp_path)
    assert len(runs) == 4 and not any("error" in run["info"] for run in runs)


def test_blind_search_spends_no_more_and_proposes_nothing(finished, tmp_path):
    _, runs = finished
    spent = bohb.epochs_spent(runs)
    # Two brackets of eta 3 up to 9 epochs: 9 x 1 + 3 x 2 + 1 x 6, then 3 x 3 + 1 x 6.
    assert spent == 21 + 15
    blind = bohb.random_search(closed_form, bohb.search_space(seed=3), SETTINGS, spent, tmp_path)
    assert [run["budget"] for run in blind] == [9.0] * 4 and not any(
        run["model_based"] for run in blind
    )
    assert len({run["config"]["learning_rate"] for run in blind}) == 4


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_worker_elsewhere_shares_the_work_and_goes_home_with_the_search(tmp_path):
    port, place = free_port(), {}
    barrier = threading.Barrier(
        2
    )  # the search's own worker passes only while the other one works too

    def evaluate(config_id, config, budget):
        if config_id[2] < 2 and budget == 1:
            barrier.wait(20)
        return closed_form(config_id, config, budget)

    def help_out():
        for _ in range(100):
            try:
                place["done"] = bohb_remote.work_for(evaluate, 1.0, "127.0.0.1", port, "shared")
                return
            except DiffranetError:
                time.sleep(0.1)

    helper = threading.Thread(target=help_out)
    helper.start()
    settings = bohb.SearchSettings(
        min_budget=1, max_budget=3, port=port, name="shared", timeout_s=30
    )
    runs = bohb.run_bohb(evaluate, bohb.search_space(), settings, tmp_path)
    helper.join(30)
    assert not helper.is_alive()
    assert len(runs) == 4 and not any("error" in run["info"] for run in runs)
    assert 1 <= place["done"] <= 3


def test_a_worker_without_its_search_is_told(finished):
    with pytest.raises(DiffranetError, match=r"No search answers at 127.0.0.1:\d+: start it there"):
        bohb_remote.work_for(closed_form, 1.0, "127.0.0.1", free_port(), "none")


def test_addresses_of_a_search():
    assert network_search.address("10.0.0.5") == ("10.0.0.5", network_search.PORT)
    assert network_search.address("node7:9000") == ("node7", 9000)
    for wrong in ("0.0.0.0", "node7:x", "node7:70000", ":9000"):
        with pytest.raises(InputError, match="address|port"):
            network_search.address(wrong)


def test_other_search_in_the_folder_is_refused(finished):
    folder, _ = finished
    with pytest.raises(InputError, match="another search"):
        bohb.run_bohb(closed_form, bohb.search_space([9, 10]), SETTINGS, folder)


def test_trajectory_and_rank_correlation_by_hand():
    losses = {(0, 0, 0): (0.5, 0.4), (0, 0, 1): (0.3, 0.35), (0, 0, 2): (0.4, 0.36)}
    runs = [
        {"config_id": list(i), "budget": b, "loss": loss[k], "seconds": 2.0, "info": {}}
        for k, b in enumerate((1.0, 3.0))
        for i, loss in losses.items()
    ]
    steps = bohb.trajectory(runs)
    assert [(s["seconds"], s["loss"]) for s in steps] == [(2, 0.5), (4, 0.3), (8, 0.4), (10, 0.35)]
    assert [s["epochs"] for s in steps] == [1, 2, 5, 7]
    assert bohb.rank_correlations(runs) == [
        {"small": 1.0, "large": 3.0, "n": 3, "correlation": 1.0}
    ]


def test_numpy_numbers_cross_the_wire():
    import serpent

    from diffranet_utils.search import bohb_service  # noqa: F401 (registers them)

    sent = {
        "budget": np.float64(1.5),
        "n": np.int64(3),
        "worst": np.float64(np.inf),
        "yes": np.bool_(True),
    }
    assert serpent.loads(serpent.dumps(sent)) == {
        "budget": 1.5,
        "n": 3,
        "worst": np.inf,
        "yes": True,
    }


def test_larger_budget_goes_on_from_the_smaller_one(tmp_path, rng):
    images = rng.integers(0, 60, (4, 256, 256), dtype=np.uint8)
    split = Split(images, np.array([1, 2, 3, 5]), [])
    config = {
        "topology": 10,
        "learning_rate": 1e-3,
        "momentum": 0.9,
        "weight_decay": 1e-5,
        "batch_size": 2,
    }
    step_by_step = network_search.NetworkEvaluation(split, split, tmp_path / "a", seed=1)
    step_by_step((0, 0, 0), config, 1.0)
    before = (tmp_path / "a/checkpoints/0_0_0.safetensors").read_bytes()
    assert step_by_step((0, 0, 0), config, 2.0) == network_search.NetworkEvaluation(
        split, split, tmp_path / "b", 1
    )((0, 0, 0), config, 2.0)
    assert before != (tmp_path / "a/checkpoints/0_0_0.safetensors").read_bytes()


def test_an_evaluation_leaves_its_network(tmp_path, rng):
    images = rng.integers(0, 60, (4, 256, 256), dtype=np.uint8)
    split = Split(images, np.array([1, 2, 3, 5]), [])
    config = {
        "topology": 10,
        "learning_rate": 1e-3,
        "momentum": 0.9,
        "weight_decay": 1e-5,
        "batch_size": 2,
    }
    evaluation = network_search.NetworkEvaluation(split, split, tmp_path, 1)
    loss, info = evaluation((0, 0, 0), config, 1.0)
    network = checkpoints.load_network(tmp_path / "networks" / info["network"])
    assert (network.predict(images) == split.labels).sum() == info["n_right"]
    assert loss == 1 - info["n_right"] / 4


def test_checkpoints_of_finished_brackets_are_deleted(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for name in ("0_0_0", "1_0_2", "10_0_0"):
        (folder / f"{name}.safetensors").touch()
    network_search.NetworkEvaluation(None, None, tmp_path, 0)._forget_before(1)
    assert sorted(path.stem for path in folder.iterdir()) == ["10_0_0", "1_0_2"]


def test_small_presets_search_what_they_can_afford():
    small, full = (
        network_search.preset_space(presets.get(name), seed=0) for name in ("smoke", "full")
    )
    assert list(small["topology"].choices) == [9, 10]  # the two with eight filters
    assert list(small["batch_size"].choices) == [4, 8]
    assert list(full["topology"].choices) == list(range(1, 14))
    assert list(full["batch_size"].choices) == [4, 8, 16, 32, 64]
