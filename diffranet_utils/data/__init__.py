"""Labelled sets of images: splits, their making and verifying, shards and downloads."""
