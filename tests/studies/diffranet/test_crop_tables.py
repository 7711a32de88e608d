"""Tables of features of simulated crops."""

import numpy as np

from diffranet_utils.studies.diffranet import crop_tables


def test_tables_do_not_depend_on_workers():
    one, two = (crop_tables.draw_table(22, [5, 1], n_workers=n) for n in (1, 2))
    np.testing.assert_array_equal(np.stack(one[0]), np.stack(two[0]))
    np.testing.assert_array_equal(one[1], two[1])
