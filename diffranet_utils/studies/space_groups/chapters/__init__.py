"""Heavy steps of the chapters on pair distribution functions and space groups."""
