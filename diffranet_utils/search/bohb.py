"""Search topologies and learning settings with BOHB (Falkner et al., 2018, arXiv:1807.01774):
Tables 9 and 10.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from scipy import stats

from diffranet_utils.core.errors import require
from diffranet_utils.core.files import read_json, write_json
from diffranet_utils.core.ownership import owned

BATCH_SIZES = (4, 8, 16, 32, 64)
CRASH_LOSS = 1.0  # the loss is 1 - accuracy, and nothing is worse than no image right


@dataclass(frozen=True)
class SearchSettings:
    """Size of a search.

    Parameters
    ----------
    min_budget, max_budget : float
        Epochs.
    n_iterations : int
        Brackets.
    eta : int
        Each rung keeps one configuration in `eta` and gives it `eta` times the budget.
    n_workers : int
        Evaluations side by side; with one, a search repeats to the same numbers where training
        does.
    seed : int
    timeout_s : float
        Longest time without a finished evaluation.
    crash_loss : float
        Recorded for a configuration that fails.
    host : str
        Interface that the services listen on.
    port : int
        Of the name server; 0 takes any free one, and then no worker elsewhere can find the search.
    name : str
        By which workers elsewhere know the search.
    random_fraction : float
        Share of the configurations that are drawn blindly; HpBandSter's own is a third, and 1 is
        random search.
    """

    min_budget: float = 1
    max_budget: float = 9
    n_iterations: int = 1
    eta: int = 3
    n_workers: int = 1
    seed: int = 0
    timeout_s: float = 3600.0
    crash_loss: float = CRASH_LOSS
    host: str = "127.0.0.1"
    port: int = 0
    name: str = "search"
    random_fraction: float = 1 / 3

    def __post_init__(self):
        """Refuse what cannot be searched; raises InputError."""
        fits = 0 < self.min_budget <= self.max_budget
        require(
            fits,
            f"Budgets from {self.min_budget} to {self.max_budget}: give a positive one, then a "
            "larger one.",
        )
        require(
            self.eta >= 2 and self.n_iterations >= 1,
            f"eta {self.eta}, {self.n_iterations} iterations: too few.",
        )
        require(self.n_workers >= 1, f"{self.n_workers} workers: a search needs one.")
        fits = 0 <= self.random_fraction <= 1
        require(fits, f"The random fraction is {self.random_fraction}: give a share, 0 to 1.")


def search_space(topologies=range(1, 14), batch_sizes=BATCH_SIZES, seed=0):
    """Tables 9 and 10 of the paper.

    The paper lets the momentum reach 1, at which a step is never forgotten; here it ends at 0.999.

    Parameters
    ----------
    topologies : sequence of int
        Keys of `deepfreak.TOPOLOGIES` to choose from.
    batch_sizes : sequence of int
    seed : int

    Returns
    -------
    ConfigSpace.ConfigurationSpace
        topology, learning_rate, momentum, weight_decay, batch_size.
    """
    from ConfigSpace import (
        CategoricalHyperparameter,
        ConfigurationSpace,
        UniformFloatHyperparameter,
    )

    space = ConfigurationSpace(seed=seed)
    space.add(
        CategoricalHyperparameter("topology", list(topologies)),
        UniformFloatHyperparameter("learning_rate", 1e-4, 10, log=True),
        UniformFloatHyperparameter("momentum", 0.5, 0.999),
        UniformFloatHyperparameter("weight_decay", 1e-5, 5e-5),
        CategoricalHyperparameter("batch_size", list(batch_sizes)),
    )
    return space


def brackets(settings):
    """The rungs of every iteration (Li et al., 2017, Algorithm 1, in the rounding of HpBandSter).

    Parameters
    ----------
    settings : SearchSettings

    Returns
    -------
    list of list of (int, float)
        Per iteration and rung: how many configurations get which budget, in epochs.
    """
    eta = settings.eta
    n_rungs = int(np.log(settings.max_budget / settings.min_budget) / np.log(eta)) + 1
    plan = []
    for iteration in range(settings.n_iterations):
        last = n_rungs - 1 - iteration % n_rungs
        n_first = (n_rungs // (last + 1)) * eta**last
        budgets = [settings.max_budget * float(eta) ** (k - last) for k in range(last + 1)]
        plan.append([(max(n_first // eta**k, 1), budget) for k, budget in enumerate(budgets)])
    return plan


def run_bohb(evaluate, space, settings, folder):
    """Search a space with BOHB, or go on with a search that was stopped.

    Parameters
    ----------
    evaluate : callable
        ``evaluate(config_id, config, budget) -> (loss, info)``: a loss to be made small, and a dict
        that JSON holds. An exception or a loss that is not finite is recorded as
        ``settings.crash_loss``.
    space : ConfigSpace.ConfigurationSpace
    settings : SearchSettings
    folder : path-like
        ``runs.jsonl`` receives each result as it comes; what it already holds is not computed
        again.

    Returns
    -------
    list of dict
        Every evaluation: ``config_id``, ``budget``, ``config``, ``model_based``, ``loss``,
        ``info``, ``seconds``.

    Raises
    ------
    InputError
        If another process searches there, or the folder holds a search with another space, seed
        or budgets.
    DiffranetError
        If no evaluation finishes within ``settings.timeout_s``; the message says what is missing.
    """
    with owned(folder):
        return _search(evaluate, space, settings, Path(folder))


def _search(evaluate, space, settings, folder):
    from diffranet_utils.search.bohb_service import serve

    shared = {
        name: asdict(settings)[name]
        for name in ("min_budget", "max_budget", "eta", "seed", "random_fraction")
    }
    identity = shared | {"space": str(space)}
    path = folder / "search.json"
    same = not path.exists() or read_json(path) == identity
    require(
        same,
        f"{folder} holds another search (see search.json): delete it or choose another folder.",
    )
    write_json(path, identity)
    return serve(
        evaluate, space, settings, folder, sum(n for rungs in brackets(settings) for n, _ in rungs)
    )


def random_search(evaluate, space, settings, epochs, folder):
    """Search blindly for as many epochs as another search has spent: every configuration gets the
    largest budget.

    Parameters
    ----------
    evaluate, space, folder
        As for `run_bohb`.
    settings : SearchSettings
        Of the search to compare with.
    epochs : float
        At least one configuration is trained, if they are fewer than the largest budget.

    Returns
    -------
    list of dict
        As from `run_bohb`.
    """
    n = max(1, int(epochs // settings.max_budget))
    blind = replace(
        settings, min_budget=settings.max_budget, n_iterations=n, random_fraction=1.0, port=0
    )
    return run_bohb(evaluate, space, blind, folder)


def epochs_spent(runs):
    """Epochs that a search has trained: a configuration that goes on counts once, with its largest
    budget.
    """
    longest = {}
    for run in runs:
        key = tuple(run["config_id"])
        longest[key] = max(longest.get(key, 0), run["budget"])
    return sum(longest.values())


def incumbent(runs):
    """The best run at the largest budget reached, or None if every run failed."""
    sound = [run for run in runs if run["loss"] is not None and "error" not in run["info"]]
    return min(sound, key=lambda run: (-run["budget"], run["loss"]), default=None)


def trajectory(runs):
    """How the incumbent improved.

    Parameters
    ----------
    runs : list of dict
        In the order in which they finished.

    Returns
    -------
    list of dict
        Each new incumbent: ``seconds`` and ``epochs`` of evaluation spent until then, ``loss``,
        ``budget``, ``config_id``.
    """
    steps, spent = [], 0.0
    for k, run in enumerate(runs, start=1):
        spent += run["seconds"]
        if incumbent(runs[:k]) is run:
            cost = {"seconds": round(spent, 2), "epochs": epochs_spent(runs[:k])}
            steps.append(cost | {key: run[key] for key in ("loss", "budget", "config_id")})
    return steps


def rank_correlations(runs):
    """Does a short training foretell a long one? Spearman correlation of the losses of neighbouring
    budgets.

    Returns
    -------
    list of dict
        ``small`` and ``large`` budget, ``n`` configurations that have both, ``correlation`` (None
        below three).
    """
    losses = {}
    for run in runs:
        if run["loss"] is not None:
            losses.setdefault(run["budget"], {})[tuple(run["config_id"])] = run["loss"]
    rows = []
    budgets = sorted(losses)
    for small, large in zip(budgets, budgets[1:], strict=False):
        both = sorted(set(losses[small]) & set(losses[large]))
        pairs = [[losses[budget][key] for key in both] for budget in (small, large)]
        defined = len(both) >= 3 and all(np.ptp(values) > 0 for values in pairs)
        value = float(stats.spearmanr(*pairs).statistic) if defined else None
        rows.append({"small": small, "large": large, "n": len(both), "correlation": value})
    return rows
