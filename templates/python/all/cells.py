"""Arrow columns as lists of Python values, and back; `None` is null.

wit/plugin.wit describes the layout: interface `columns`.
"""

from wit_world.imports.columns import Column, Values_Int64, Values_Text, VariableWidth


def is_present(column, row):
    """Whether the cell of a row is there, for columns of every type."""
    bits = column.validity
    return bits is None or bool(bits[row >> 3] >> (row & 7) & 1)


def text_cells(column, rows):
    """The cells of a text column."""
    data, offsets = column.values.value.data, column.values.value.offsets
    return [
        data[offsets[row] : offsets[row + 1]].decode() if is_present(column, row) else None
        for row in range(rows)
    ]


def text_column(cells):
    """A text column of these cells."""
    data, offsets = bytearray(), [0]
    for cell in cells:
        if cell is not None:
            data += cell.encode()
        offsets.append(len(data))
    return Column(Values_Text(VariableWidth(offsets, bytes(data))), validity(cells))


def int64_column(cells):
    """An int64 column of these cells."""
    return Column(Values_Int64([cell or 0 for cell in cells]), validity(cells))


def validity(cells):
    """Which cells are there, as the contract wants it: none if all are."""
    if all(cell is not None for cell in cells):
        return None
    return bits(cell is not None for cell in cells)


def bits(flags):
    """One bit a row, the least significant first."""
    packed = bytearray()
    for row, flag in enumerate(flags):
        if row % 8 == 0:
            packed.append(0)
        packed[-1] |= bool(flag) << row % 8
    return bytes(packed)
