"""Crystallisation drops: clear, crystals, precipitate or other (Bruno et al. 2018).

`labels` names the classes, `imagers` the five imaging set-ups and `render` makes a picture with
its truth from them; `scene`, `well`, `drop`, `crystals`, `crystal_shapes`, `precipitate`,
`clutter` and `optics` are the parts it is made of. `label_noise` confuses labels as people do,
`readers`, `decoding` and `tfrecords` read the forms in which MARCO is shared, and `preprocess`
makes crops.
"""
