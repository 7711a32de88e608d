"""Heavy steps of the study of shapes."""
