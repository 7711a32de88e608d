"""The screener: its model, its command and what it writes."""
