"""The DiffraNet study: labels, stations, presets, shots, claims and chapters."""
