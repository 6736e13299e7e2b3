"""Keeps the last characters of a text and hides the others. A text that is no longer than what
may stay is hidden as a whole.

componentize-py looks for the resource `mask` in a module that is named after its interface.
"""

import json

from wit_world.exports.masker import Action_Replace, Kept_Characters, Masked
from wit_world.exports.plugin import About

from cells import text_cells, text_column
from config import expect_type, options, whole_number

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "keep": {
            "type": "integer",
            "minimum": 0,
            "default": 4,
            "description": "How many characters stay at the end.",
        }
    },
}


class Plugin:
    def describe(self):
        return About(
            name="{{name}}",
            version="0.1.0",
            summary="Keeps the last characters of a text and hides the others.",
            documentation="",
            config_schema=json.dumps(SCHEMA),
        )


class Mask:
    def __init__(self, keep, fields, masks):
        self.keep = keep
        self.granted = fields
        self.masks = masks

    @classmethod
    def open(cls, config, fields, masks):
        keep = whole_number(options(config, ["keep"]), "keep", default=4)
        expect_type([fields[column] for column in masks], "text")
        return cls(keep, fields, masks)

    def fields(self):
        return self.granted

    def keeps(self):
        # Of `(1234)` all letters and digits stay; the host's leak guard rejects longer ones.
        return [Kept_Characters(self.keep) for _ in self.masks]

    def apply(self, batch):
        return [Masked(column, self.mask(batch.columns[column], batch.rows)) for column in self.masks]

    def mask(self, column, rows):
        cells = text_cells(column, rows)
        return Action_Replace(text_column([None if cell is None else self.hide(cell) for cell in cells]))

    def hide(self, cell):
        hidden = len(cell) - self.keep if len(cell) > self.keep else len(cell)
        return "*" * hidden + cell[hidden:]
