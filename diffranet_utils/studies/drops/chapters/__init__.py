"""Heavy steps of the study's chapters, one module each."""
