"""The heavy step of each chapter: one file a notebook, one function ``step(run)`` in each."""
