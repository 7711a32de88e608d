"""Runs and their records, the measures that they hold, and the tables made of them."""
