"""Simulate, label and classify serial-crystallography diffraction images."""

__version__ = "0.1.0"
