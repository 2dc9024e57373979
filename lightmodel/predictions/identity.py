"""How the id of a row is written, so that an answer and its late truth meet."""


def id_text(value: object) -> str | None:
    """Write an id as text; data bases take no NUL."""
    if value is None:
        return None
    return str(value).replace("\0", "\ufffd")
