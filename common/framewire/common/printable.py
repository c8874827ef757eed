r"""Text from elsewhere, made fit for a terminal, a log and a page. Pure.

A reason that a sender gives, a file's own words or an error that quotes either may hold anything: escape
sequences that a terminal obeys, line feeds that forge lines of a log, marks that turn the order of what
follows.
"""

__all__ = ["printable"]


def printable(text: str, most: int | None = None) -> str:
    r"""`text` with all that is no visible character written out, as in ``\x1b``, on one line.

    Spaces stay. Of more than `most` characters the rest is left out, and an ellipsis says so.
    """
    if most is not None and len(text) > most:
        text = f"{text[:most]}…"
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _written_out(each) for each in text)


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
