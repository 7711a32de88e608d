"""Sorting scattering techniques: SAXS, WAXS, GISAXS or GIWAXS (Ushizima et al. 2021).

`labels` names the techniques and the paper's counts, `camera` says what each pixel sees;
`saxs`, `waxs`, `gisaxs` and `giwaxs` are the scattering of each technique, `detector` what a
detector makes of it, and `sessions` draws users, materials and set-ups and makes their patterns
with the truth about what is seen in them.
"""
