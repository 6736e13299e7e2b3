"""Reading the step's `with:` block. What is wrong is refused at its place, before the first row."""

import json

from componentize_py_types import Err
from wit_world.exports.plugin import ConfigError


def refuse(path, message):
    """The refusal of an option, given as a JSON Pointer, or of the whole block (`""`)."""
    return Err(ConfigError(path, message))


def options(config, known):
    """The block as a dictionary that has known options only."""
    block = json.loads(config) if config else {}
    for name in block:
        if name not in known:
            pointer = name.replace("~", "~0").replace("/", "~1")
            raise refuse(f"/{pointer}", f"unknown option; there are: {', '.join(known)}")
    return block


def whole_number(block, name, default=None):
    """An option that is a whole number, 0 or more; needed if it has no default."""
    value = block.get(name, default)
    if value is None:
        raise refuse("", f"`{name}` is missing")
    # In Python, True is a whole number.
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise refuse(f"/{name}", "is not a whole number, 0 or more")
    return value


def expect_type(fields, expected):
    """Refuses fields of another type, by name."""
    for field in fields:
        is_type = type(field.data_type).__name__.removeprefix("DataType_").lower()
        if is_type != expected:
            raise refuse("", f"column `{field.name}` is {is_type}, but this takes only {expected}")
