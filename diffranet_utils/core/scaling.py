"""What a data set of any size costs, from measured rates."""

from diffranet_utils.core.errors import require


def cost(n_images, images_per_second_per_core, bytes_per_image, per_shard=1000):
    """Time, space and files of a data set.

    Parameters
    ----------
    n_images : int
    images_per_second_per_core : float
        Measured, see ``benchmarks/bench_dataset.py``.
    bytes_per_image : float
    per_shard : int
        Images in one tar file, see `shards.write_shards`.

    Returns
    -------
    dict
        ``core_hours``, ``terabytes``, ``files`` (one an image), ``shards``.

    Raises
    ------
    InputError
        If a number is not positive.
    """
    for name, value in (
        ("n_images", n_images),
        ("images_per_second_per_core", images_per_second_per_core),
    ):
        require(value > 0, f"{name} is {value}: give a positive number.")
    return {
        "core_hours": n_images / images_per_second_per_core / 3600,
        "terabytes": n_images * bytes_per_image / 1e12,
        "files": n_images,
        "shards": -(-n_images // per_shard),
    }
