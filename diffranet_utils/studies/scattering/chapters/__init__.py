"""One module per chapter of the scattering study, with its heavy step ``step(run)``."""
