"""Pictures: one file for each kind, and the style that they share."""
