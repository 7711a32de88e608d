"""The studies, a folder each, and what runs their chapters."""
