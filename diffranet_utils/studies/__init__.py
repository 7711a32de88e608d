"""The studies of the book, one folder each: its labels, its makers of data and its readers."""
