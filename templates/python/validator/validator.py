"""Finds texts that are too short. Nulls are none of its business: `required` finds those.

componentize-py looks for the resource `check` in a module that is named after its interface.
"""

import json

from wit_world.exports.plugin import About
from wit_world.exports.validator import Finding, Rule

from cells import text_cells
from config import expect_type, options, whole_number

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["min-length"],
    "examples": [{"min-length": 3}],
    "properties": {
        "min-length": {
            "type": "integer",
            "minimum": 0,
            "description": "The least number of characters that is right.",
        }
    },
}


class Plugin:
    def describe(self):
        return About(
            name="{{name}}",
            version="0.1.0",
            summary="Finds texts that are too short.",
            documentation="",
            config_schema=json.dumps(SCHEMA),
        )


class Check:
    def __init__(self, least, fields):
        self.least = least
        self.names = [field.name for field in fields]

    @classmethod
    def open(cls, config, fields):
        least = whole_number(options(config, ["min-length"]), "min-length")
        expect_type(fields, "text")
        return cls(least, fields)

    def rules(self):
        return [
            Rule("min-length", column, f"`{name}` has fewer than {self.least} characters")
            for column, name in enumerate(self.names)
        ]

    def apply(self, batch):
        findings = []
        for rule, column in enumerate(batch.columns):
            cells = enumerate(text_cells(column, batch.rows))
            short = [row for row, cell in cells if cell is not None and len(cell) < self.least]
            if short:
                findings.append(Finding(rule, short))
        return findings
