"""Space groups from pair distribution functions, after Liu, Tao, Hsu, Du and Billinge (2019)."""
