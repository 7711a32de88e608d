"""Make saxs_curves.csv: python tests/golden/scattering/make_saxs.py (sasmodels 1.1)."""

from pathlib import Path

import numpy as np
from sasmodels.core import load_model
from sasmodels.direct_model import call_kernel

MODELS = {
    "sphere": ("sphere", {"radius": 50}),
    "sphere_pd": ("sphere", {"radius": 50, "radius_pd": 0.15, "radius_pd_n": 35}),
    "core_shell": (
        "core_shell_sphere",
        {"radius": 60, "thickness": 20, "sld_core": 1, "sld_shell": 3, "sld_solvent": 0},
    ),
    "cylinder": ("cylinder", {"radius": 20, "length": 400}),
    "lamella": ("lamellar", {"thickness": 45}),
    "stack": (
        "lamellar_stack_paracrystal",
        {"thickness": 33, "Nlayers": 20, "d_spacing": 250, "sigma_d": 0.08},
    ),
    "hard_sphere": ("hardsphere", {"radius_effective": 50, "volfraction": 0.3}),
}

if __name__ == "__main__":
    q = np.geomspace(0.004, 0.4, 80)
    columns = {"q": q}
    for name, (model, parameters) in MODELS.items():
        kernel = load_model(model, dtype="double", platform="dll").make_kernel([q])
        columns[name] = call_kernel(kernel, {"background": 0, "scale": 1, **parameters})
    np.savetxt(
        Path(__file__).parent / "saxs_curves.csv",
        np.transpose(list(columns.values())),
        fmt="%.8g",
        delimiter=",",
        header=",".join(columns),
        comments="",
    )
