"""What everything rests on: errors, files, workers, progress, logs and fingerprints."""
