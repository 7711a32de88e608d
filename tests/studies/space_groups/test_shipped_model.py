import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from diffranet_utils.cli.main import app
from diffranet_utils.core.errors import InputError, MissingDataError
from diffranet_utils.studies.space_groups import command, shipped_model
from diffranet_utils.studies.space_groups.crystal import CrystalStructure
from diffranet_utils.studies.space_groups.curves import PairSettings, normalised, pair_curve
from diffranet_utils.studies.space_groups.models import ResidualPairNetwork
from diffranet_utils.studies.space_groups.network_training import predict

FCC = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
R = np.arange(0.01, 30.5, 0.01)
SHIPPED = shipped_model.SHIPPED.is_file()


def nickel(r_A=None):
    return pair_curve(
        CrystalStructure(3.524 * np.eye(3), FCC, [28] * 4), PairSettings(r_max_A=31), r_A
    )


def write(path, g, header=""):
    path.write_text(
        header + "\n".join(f"{r:.4f} {value:.6f}" for r, value in zip(R, g, strict=True)) + "\n"
    )
    return path


def untrained():
    torch.manual_seed(3)
    network = ResidualPairNetwork().eval()
    for name, buffer in network.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5)
    tensors, strides = shipped_model.folded(network)
    about = {
        "groups": list(range(45)),
        "n_blocks": len(strides),
        "strides": strides,
        "temperature": 1.0,
    }
    about |= {"fading_limits": [0.2, 1.5], "least_mass": 0.0}
    return network, shipped_model.GroupModel(tensors, about)


def test_numpy_gives_what_torch_gives():
    network, model = untrained()
    x = np.random.default_rng(1).random((5, 209))
    np.testing.assert_allclose(model.answers(x), predict(network, x), atol=1e-5)


def test_a_model_survives_its_file(tmp_path):
    _, model = untrained()
    path = tmp_path / "model.safetensors"
    shipped_model.write_model(path, model)
    x = np.random.default_rng(1).random((2, 209))
    np.testing.assert_array_equal(shipped_model.read_model(path).answers(x), model.answers(x))


def test_other_files_are_refused(tmp_path):
    with pytest.raises(MissingDataError, match="nothing"):
        shipped_model.read_model(tmp_path / "nothing.safetensors")
    (tmp_path / "text.safetensors").write_text("no model")
    with pytest.raises(InputError, match="text.safetensors"):
        shipped_model.read_model(tmp_path / "text.safetensors")


def test_an_amorphous_film_and_noise_are_doubted():
    _, model = untrained()
    r = PairSettings().r_A
    flat = np.random.default_rng(1).normal(size=209) * (1 + r / 8)
    x = normalised(np.array([nickel(r) * np.exp(-r / 3), flat, nickel(r)]))
    doubts = model.doubts(x, np.full((3, 45), 1 / 45))
    assert doubts[0] and doubts[1] and not doubts[2]
    assert doubts[0] != doubts[1]


@pytest.mark.skipif(not SHIPPED, reason="no model is shipped")
def test_the_shipped_model_is_small_and_its_answers_are_ranked(tmp_path):
    assert shipped_model.SHIPPED.stat().st_size < 6e6
    rows = command.judged(shipped_model.read_model(), write(tmp_path / "Ni.gr", nickel(R)), 6)
    chances = [answer["probability"] for answer in rows[0]["groups"]]
    assert len(chances) == 6 and 0 <= sum(chances) <= 1.001
    assert all(a >= b for a, b in pairwise(chances))


@pytest.mark.skipif(not SHIPPED, reason="no model is shipped")
def test_files_that_cannot_be_read_are_one_line_each(tmp_path):
    good = write(tmp_path / "Ni.gr", nickel(R))
    neutron = write(tmp_path / "n.gr", nickel(R), "stype = N\n#L r G\n")
    (tmp_path / "short.gr").write_text("\n".join(f"{0.1 * k:.2f} {k % 3}" for k in range(1, 60)))
    answer = CliRunner().invoke(
        app, ["space-group", str(good), str(neutron), str(tmp_path / "short.gr"), "--json"]
    )
    rows = json.loads(answer.stdout)
    assert [row["verdict"] for row in rows][1:] == ["unsure", "unreadable"]
    assert "short.gr" in rows[2]["note"] and "\n" not in rows[2]["note"]


@pytest.mark.skipif(not SHIPPED, reason="no model is shipped")
def test_structures_say_that_their_curve_was_computed(tmp_path):
    table = [
        {
            "formula": "Ni",
            "lattice": (3.524 * np.eye(3)).tolist(),
            "frac": FCC.tolist(),
            "z": [28] * 4,
        }
    ]
    (tmp_path / "a.json").write_text(json.dumps(table))
    (row,) = command.judged(shipped_model.read_model(), tmp_path / "a.json", 3)
    assert "computed" in row["note"]
    assert row["verdict"] == row["groups"][0]["symbol"]


@pytest.mark.skipif(not SHIPPED, reason="no model is shipped")
def test_no_answer_at_all_is_a_failure(tmp_path):
    with pytest.raises(InputError):
        command.run([tmp_path / "missing.gr"])
    with pytest.raises(InputError, match="46"):
        command.run([tmp_path / "missing.gr"], top=46)
