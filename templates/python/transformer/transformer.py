"""Adds the length of a text as a column. A null has no length: the new cell is null too.

componentize-py looks for the resource `transform` in a module that is named after its interface.
"""

import json

from wit_world.exports.plugin import About
from wit_world.exports.transformer import Transformed

from cells import int64_column, text_cells
from config import expect_type, options, refuse

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "count": {
            "enum": ["characters", "bytes"],
            "default": "characters",
            "description": "What is counted: Unicode scalar values, or bytes of UTF-8.",
        }
    },
}


class Plugin:
    def describe(self):
        return About(
            name="{{name}}",
            version="0.1.0",
            summary="Adds the length of a text.",
            documentation="",
            config_schema=json.dumps(SCHEMA),
        )


class Transform:
    def __init__(self, count, adds):
        self.count = count
        self.adds = adds

    @classmethod
    def open(cls, config, fields, adds):
        count = options(config, ["count"]).get("count", "characters")
        if count not in ("characters", "bytes"):
            raise refuse("/count", "is neither `characters` nor `bytes`")
        if len(fields) != 1 or len(adds) != 1:
            raise refuse("", "write one column in `reads` and one in `adds`")
        expect_type(fields, "text")
        expect_type(adds, "int64")
        return cls(count, adds)

    def fields(self):
        return self.adds

    def apply(self, batch):
        cells = text_cells(batch.columns[0], batch.rows)
        lengths = [None if cell is None else self.length(cell) for cell in cells]
        return Transformed([int64_column(lengths)], keep=None)

    def length(self, cell):
        return len(cell) if self.count == "characters" else len(cell.encode())
