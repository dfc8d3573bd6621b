import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from featx.encoders.pyramid import cell_names, divide

grids = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=4)


@given(st.integers(0, 2**32 - 1), st.integers(0, 60), grids)
def test_cells_hold_the_descriptors_that_lie_in_them(seed, count, pyramid):
    positions = np.random.default_rng(seed).uniform(-0.1, 1.1, (count, 2)).astype(np.float32)
    regions = divide(positions, pyramid)
    found = [
        sorted(index for region in cell for index in regions.rows[region]) for cell in regions.cells
    ]
    inside = np.clip(positions.astype(np.float64), 0, 1 - 1e-9)
    expected = [
        [
            index
            for index, (down, across) in enumerate(inside)
            if row / rows <= down < (row + 1) / rows
            and column / columns <= across < (column + 1) / columns
        ]
        for rows, columns in pyramid
        for row in range(rows)
        for column in range(columns)
    ]
    assert found == expected
    assert sorted(index for rows in regions.rows for index in rows) == list(range(count))


def test_names_say_grid_row_and_column():
    assert cell_names([[1, 1]]) == [""]
    assert cell_names([(2, 1), (1, 1)]) == ["_2x1_0_0", "_2x1_1_0", "_1x1_0_0"]
