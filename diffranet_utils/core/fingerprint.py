"""What a result depends on: a hash over a module and all that it imports from this package."""

import ast
from functools import cache
from pathlib import Path

from diffranet_utils.core.errors import require
from diffranet_utils.core.files import sha256_of

PACKAGE = Path(__file__).resolve().parents[1]


def code_fingerprint(*modules, package=PACKAGE):
    """Hash of the source that decides what the named modules compute, to tell when a result is
    stale.

    Parameters
    ----------
    *modules : str
        Full names, such as a module's own ``__name__``. Everything that they import from the
        package counts, directly or not, at the top of a file or inside a function. Without a name
        the whole package counts.
    package : Path, optional
        Folder of the package.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    files = (
        set().union(*(sources(name, package) for name in modules))
        if modules
        else package.rglob("*.py")
    )
    return sha256_of(*sorted(files))[:16]


def sources(module, package=PACKAGE):
    """Files of the package on which a module depends, its own included.

    Parameters
    ----------
    module : str
        Full name, such as ``diffranet_utils.core.fingerprint``.
    package : Path, optional
        Folder of the package.

    Returns
    -------
    set of Path

    Raises
    ------
    InputError
        If there is no such module in the package.
    """
    root, reached = package.parent, set()
    waiting = {_file(module, root)}
    require(None not in waiting, f"No module {module} below {root}: give the full name of one.")
    while waiting:
        path = waiting.pop()
        reached.add(path)
        waiting |= _imported(path, root, path.stat().st_mtime_ns) - reached
    return reached


@cache
def _imported(path, root, _mtime_ns):
    """Files below `root` that a source file imports; read again when the file changes."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [name for node in imports for name in _names(node, path, root)]
    return frozenset(file for name in names if (file := _file(name, root)))


def _names(node, path, root):
    """Full names that an import may mean: ``from a import b`` is the module ``a.b`` or a thing in
    ``a``.
    """
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    parts = path.relative_to(root).parts[: -node.level] if node.level else ()
    base = ".".join((*parts, *filter(None, [node.module])))
    modules = [f"{base}.{alias.name}" for alias in node.names]
    return [name if _file(name, root) else base for name in modules]


def _file(name, root):
    path = root.joinpath(*name.split("."))
    options = (path.with_suffix(".py"), path / "__init__.py")
    return next((option for option in options if option.is_file()), None)
