#!/usr/bin/env python3
"""Draws what a terminal shows as an SVG picture.

    tmux capture-pane -e -p | scripts/terminal_svg.py > docs/terminal.svg

Understands the colours, bold and half blocks that `fallline` prints. The picture brings its own
background, so that it reads well on light and dark pages.
"""

import html
import re
import sys

COLUMN, LINE, MARGIN, FONT = 8.0, 18, 14, 13
BACKGROUND, FOREGROUND = "#16191d", "#d6dbe1"
NAMED = ["#3a4048", "#e06c75", "#8fc379", "#d9b36c", "#6cb0f0", "#c386dd", "#56b6c2", "#d6dbe1"]
ESCAPE = re.compile(r"\x1b\[([0-9;:]*)m|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;?]*[A-Za-z]|\x1b\(.|[\x0e\x0f]")


def colour_256(index):
    """Of the 256 colours: 16 names, a cube of 6x6x6, 24 greys."""
    if index < 16:
        return NAMED[index % 8]
    if index >= 232:
        return "#" + 3 * f"{8 + 10 * (index - 232):02x}"
    steps = [0, 95, 135, 175, 215, 255]
    cube = index - 16
    return "#" + "".join(f"{steps[cube // power % 6]:02x}" for power in (36, 6, 1))


def styled(style, codes):
    """The style (foreground, background, bold) after an escape sequence with these numbers."""
    foreground, background, bold = style
    codes = [int(code or 0) for code in re.split("[;:]", codes)]
    while codes:
        code = codes.pop(0)
        if code == 0:
            foreground, background, bold = None, None, False
        elif code == 1:
            bold = True
        elif code == 22:
            bold = False
        elif code in (38, 48):
            kind = codes.pop(0)
            if kind == 5:
                colour = colour_256(codes.pop(0))
            else:
                colour = "#" + "".join(f"{codes.pop(0):02x}" for _ in range(3))
            if code == 38:
                foreground = colour
            else:
                background = colour
        elif 30 <= code <= 37 or 90 <= code <= 97:
            foreground = NAMED[code % 10]
        elif 40 <= code <= 47:
            background = NAMED[code - 40]
        elif code == 39:
            foreground = None
        elif code == 49:
            background = None
    return foreground, background, bold


def cells(text):
    """Each line of the text as a list of (character, style)."""
    lines, style = [], (None, None, False)
    for line in text.rstrip().split("\n"):
        row, position = [], 0
        for match in ESCAPE.finditer(line):
            row += [(character, style) for character in line[position : match.start()]]
            if match.group(1) is not None:
                style = styled(style, match.group(1))
            position = match.end()
        lines.append(row + [(character, style) for character in line[position:]])
    return lines


def runs(keys):
    """(start, length, key) of each stretch of equal keys that are not None."""
    start = 0
    for end in range(1, len(keys) + 1):
        if end == len(keys) or keys[end] != keys[start]:
            if keys[start] is not None:
                yield start, end - start, keys[start]
            start = end


def number(value):
    return f"{value:.1f}".removesuffix(".0")


def rectangles(row, top):
    """Backgrounds and half blocks of a line, two rectangles high."""
    upper = [style[0] or FOREGROUND if character == "▀" else style[1] for character, style in row]
    lower = [style[1] for _, style in row]
    halves = [(upper, top, LINE / 2), (lower, top + LINE / 2, LINE / 2)]
    if upper == lower:
        halves = [(upper, top, LINE)]
    for colours, y, height in halves:
        for start, length, colour in runs(colours):
            place = f'x="{number(MARGIN + COLUMN * start)}" y="{number(y)}"'
            yield f'<rect {place} width="{number(COLUMN * length)}" height="{number(height)}" fill="{colour}"/>'


def texts(row, top):
    """The letters of a line: one element for each word group of a style, placed on the grid."""
    keys = [None if character in " ▀" else (style[0] or FOREGROUND, style[2]) for character, style in row]
    for index in range(1, len(keys) - 1):
        # A single space stays within its group.
        if row[index][0] == " " and keys[index - 1] == keys[index + 1]:
            keys[index] = keys[index - 1]
    for start, length, (colour, bold) in runs(keys):
        text = html.escape("".join(character for character, _ in row[start : start + length]))
        place = f'x="{number(MARGIN + COLUMN * start)}" y="{number(top + 13)}"'
        width = f' textLength="{number(COLUMN * length)}"' if length > 1 else ""
        fill = "" if colour == FOREGROUND else f' fill="{colour}"'
        weight = ' font-weight="bold"' if bold else ""
        yield f"<text {place}{width}{fill}{weight}>{text}</text>"


def svg(text):
    lines = cells(text)
    width = 2 * MARGIN + COLUMN * max(len(row) for row in lines)
    height = 2 * MARGIN + LINE * len(lines)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(width)} {height}" '
        f'width="{number(width)}" height="{height}">'
    )
    yield f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>'
    tops = [MARGIN + LINE * index for index in range(len(lines))]
    yield '<g shape-rendering="crispEdges">'
    for row, top in zip(lines, tops):
        yield from rectangles(row, top)
    yield "</g>"
    family = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
    yield f'<g font-family="{family}" font-size="{FONT}" fill="{FOREGROUND}" xml:space="preserve">'
    for row, top in zip(lines, tops):
        yield from texts(row, top)
    yield "</g>\n</svg>"


if __name__ == "__main__":
    print("\n".join(svg(sys.stdin.read())))
