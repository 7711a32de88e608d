"""The studies of the book: one folder each, and none imports another."""
