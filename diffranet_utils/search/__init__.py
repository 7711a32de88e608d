"""Searches for settings: the space, Hyperopt and BOHB."""
