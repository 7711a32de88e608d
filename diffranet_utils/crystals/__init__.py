"""Crystals and what they scatter: cells, models, structure factors and Bragg spots."""
