"""The tree that `errors.py` draws is the tree that it defines."""

import re

import pytest

from framewire.common import errors


def _drawn_tree() -> dict[str, tuple[str, str]]:
    """name -> (parent, extra base named in brackets), read off the module's docstring."""
    tree: dict[str, tuple[str, str]] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ([ |`-]*)([A-Z]\w+)(?: \((\w+)\))?(?:\s{2,}.*)?$", line)
        if found:
            depth = len(found[1]) // 4
            path[depth:] = [found[2]]
            tree[found[2]] = (path[depth - 1] if depth else "Exception", found[3] or "")
    return tree


def test_the_drawing_names_every_error() -> None:
    assert set(_drawn_tree()) == set(errors.__all__)


def test_all_holds_every_error_of_the_module() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and value.__module__ == errors.__name__
    }
    assert defined == set(errors.__all__)


@pytest.mark.parametrize("name", errors.__all__)
def test_each_error_hangs_where_it_is_drawn(name: str) -> None:
    parent, extra = _drawn_tree()[name]
    bases = tuple(base.__name__ for base in getattr(errors, name).__bases__)
    assert bases == ((parent, extra) if extra else (parent,))


@pytest.mark.parametrize("name", errors.__all__)
def test_each_error_says_what_it_means(name: str) -> None:
    assert getattr(errors, name).__doc__
