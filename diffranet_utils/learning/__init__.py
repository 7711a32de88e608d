"""Classifiers and networks: fitting, training, checkpoints, prediction and attention."""
