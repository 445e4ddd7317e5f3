"""Part of check_page.py: what places of a page's charts tell, and that the dots of rooflines lie under their roofs."""

import itertools
import math
import statistics

# How far a dot may lie above its roof, as a factor. Roofs are measured in the same run as the steps, and whatever
# else runs just then makes them too low. What the counting itself is held to, without any such margin, is a clock
# that is none (`cargo test profile`), and `check_profile.py` on a quiet machine.
ABOVE = 1.5
# Pixels by which what is drawn may differ from what the numbers say.
PIXELS = 1.5
# Places of other charts whose words are looked at.
MOST_BARS = 16

# Each chart with its spots, and its roofs: names and corners.
SPOTS = """
[...document.querySelectorAll('figure.chart')].map(figure => {
  const svg = figure.querySelector('svg');
  const numbers = text => text.split(/[ ,]+/).map(Number);
  const scale = svg ? svg.viewBox.baseVal.width / (svg.getBoundingClientRect().width || 1) : 1;
  return {
    title: svg?.querySelector('text')?.textContent.trim() ?? '',
    scale,
    roofs: [...(svg?.querySelectorAll('polyline.roof') ?? [])].map(line =>
      ({name: line.dataset.roof, points: numbers(line.getAttribute('points'))})),
    spots: [...(svg?.querySelectorAll('.spot') ?? [])].map(spot => ({
      tip: spot.dataset.tip, label: spot.getAttribute('aria-label'), order: spot.tabIndex,
      at: ['cx', 'cy'].map(key => Number(spot.getAttribute(key))),
      x: Number(spot.dataset.x), y: Number(spot.dataset.y), limit: Number(spot.dataset.limit),
      under: spot.dataset.under ?? null})),
  };
})
"""

# Where the middle of a spot is in the window, and what lies uppermost there.
PLACE = """
(() => {
  const spot = document.querySelectorAll('figure.chart')[%d].querySelectorAll('.spot')[%d];
  spot.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
  const box = spot.getBoundingClientRect();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  return {x, y, tip: document.elementFromPoint(x, y)?.dataset?.tip ?? null};
})()
"""

FOCUS = """
(() => {
  const spot = document.querySelectorAll('figure.chart')[%d].querySelectorAll('.spot')[%d];
  spot.focus();
  return document.activeElement === spot;
})()
"""

# The words that are shown, none if there are none; whether they lie within the window.
TIP = """
(() => {
  const tip = document.querySelector('.tip');
  if (!tip || tip.hidden) return {text: null, inside: true};
  const box = tip.getBoundingClientRect();
  return {text: tip.textContent, inside: box.left >= 0 && box.top >= 0
    && box.right <= document.documentElement.clientWidth + 1 && box.bottom <= innerHeight + 1};
})()
"""


def height_at(points, x):
    """That of a line through `points` (x, y, x, y..); its first piece goes on to the left, the last one to the right."""
    corners = list(zip(points[::2], points[1::2]))
    for (left, start), (right, end) in itertools.pairwise(corners):
        if x <= right:
            break
    if left == right:
        return end
    return start + (x - left) / (right - left) * (end - start)


def roofline_findings(chart):
    """Dots above their roofs, and dots that do not lie where their numbers belong."""
    title, roofs, dots = chart["title"], {roof["name"]: roof["points"] for roof in chart["roofs"]}, chart["spots"]
    if not dots:
        yield f"roofline: `{title}` has no dots"
    known = []
    for dot in dots:
        if dot["under"] not in roofs:
            yield f"roofline: `{first_line(dot['tip'])}` lies under no roof of its chart: {dot['under']}"
        elif not all(dot[key] and dot[key] > 0 for key in ("x", "y", "limit")):
            yield f"roofline: `{first_line(dot['tip'])}` has no numbers"
        else:
            roof = height_at(roofs[dot["under"]], dot["at"][0])
            known.append((dot, dot["at"][1], roof))
    # Both axes are logarithmic. Pixels of a factor of e, from the heights of the dots and the values that they stand
    # for; the median, so that a dot at a wrong place is told from the others. Few dots have their roofs' help.
    dots_at = [(math.log(dot["y"]), height) for dot, height, _ in known]
    roofs_at = [(math.log(dot["limit"]), roof) for dot, _, roof in known]
    marks = dots_at if len(known) > 3 else dots_at + roofs_at
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.combinations(marks, 2) if abs(b[0] - a[0]) > 0.02]
    if not slopes:
        if known:
            yield f"roofline: `{title}` has no scale"
        return
    slope = statistics.median(slopes)
    base = statistics.median(height - slope * value for value, height in marks)
    for dot, height, roof in known:
        name = first_line(dot["tip"])
        for what, value, drawn in (("it", dot["y"], height), ("its roof", dot["limit"], roof)):
            wrong = abs(base + slope * math.log(value) - drawn) / chart["scale"]
            if wrong > PIXELS:
                yield f"roofline: `{name}`: {what} is drawn {wrong:.1f} pixels from where {value:g} belongs"
        above = math.exp((height - roof) / slope)
        if max(above, dot["y"] / dot["limit"]) > ABOVE:
            yield f"roofline: `{name}` lies above its roof, {dot['under']}, at {max(above, dot['y'] / dot['limit']):.2f} of it"


def first_line(text):
    return (text or "").split("\n")[0]


def told_findings(browser, charts):
    """Spots that do not tell their words to the mouse or to the keyboard."""
    for number, chart in enumerate(charts):
        spots, title = chart["spots"], chart["title"]
        if not spots:
            continue
        for spot in spots:
            if not any(letter.isdigit() for letter in spot["tip"] or "") or "\n" not in spot["tip"]:
                yield f"spots: `{title}`: one tells no numbers: {spot['tip']!r}"
            if spot["label"] != (spot["tip"] or "").replace("\n", ", "):
                yield f"spots: `{title}`: {spot['label']!r} is read aloud, {spot['tip']!r} is shown"
        if not any(spot["order"] == 0 for spot in spots):
            yield f"spots: `{title}`: the tabulator reaches none"
        is_roofline = bool(chart["roofs"])
        step = 1 if is_roofline else max(1, len(spots) // MOST_BARS)
        for index in range(0, len(spots), step):
            yield from hover_findings(browser, number, index, title)
            if not browser.value(FOCUS % (number, index)):
                yield f"spots: `{title}`: {first_line(spots[index]['tip'])} takes no focus"
            yield from shown_findings(browser, spots[index]["tip"], f"`{title}`, at the keyboard's focus")
        yield from arrow_findings(browser, number, spots, title)


def hover_findings(browser, number, index, title):
    place = browser.value(PLACE % (number, index))
    browser.move(2, 2)
    browser.move(place["x"], place["y"])
    # Another spot may lie above this one's middle, but something has to be there.
    yield from shown_findings(browser, place["tip"], f"`{title}`, under the mouse")


def shown_findings(browser, expected, where):
    tip = browser.value(TIP)
    if tip["text"] is None or tip["text"] != expected:
        yield f"spots: {where}: {tip['text']!r} is shown instead of {expected!r}"
    if not tip["inside"]:
        yield f"spots: {where}: {first_line(expected)} is told outside of the window"


def arrow_findings(browser, number, spots, title):
    """From the first spot to the next one and back; Escape takes the words away."""
    browser.value(FOCUS % (number, 0))
    if len(spots) > 1:
        browser.press("ArrowRight", 39)
        yield from shown_findings(browser, spots[1]["tip"], f"`{title}`, after an arrow to the right")
        browser.press("ArrowLeft", 37)
        yield from shown_findings(browser, spots[0]["tip"], f"`{title}`, after an arrow to the left")
    browser.press("Escape", 27)
    if browser.value(TIP)["text"] is not None:
        yield f"spots: `{title}`: Escape does not take the words away"
    browser.value("document.activeElement.blur()")


def findings(browser):
    """All that is wrong with the places of a page's charts."""
    charts = browser.value(SPOTS)
    found = [finding for chart in charts if chart["roofs"] for finding in roofline_findings(chart)]
    return found + list(told_findings(browser, charts))


def breaches(text, replaced):
    """Broken pages, each with what should be said of it; none for a page without a roofline."""
    begin = text.find('<circle cx="')
    while begin >= 0 and 'data-under="' not in text[begin:text.index(">", begin)]:
        begin = text.find('<circle cx="', begin + 1)
    if begin < 0:
        return {}
    dot = text[begin:text.index(">", begin)]
    height = dot.split('cy="')[1].split('"')[0]
    value = dot.split('data-y="')[1].split('"')[0]
    limit = dot.split('data-limit="')[1].split('"')[0]
    under = dot.split('data-under="')[1].split('"')[0]
    tip = dot.split('data-tip="')[1].split('"')[0]
    roof = text.index(f'data-roof="{under}"')
    points = text[roof:].split('points="')[1].split('"')[0]
    corners = [[int(number) for number in corner.split(",")] for corner in points.split()]
    place = int(dot.split('cx="')[1].split('"')[0])
    # Well below the dot.
    down = int(height) + 400 - int(height_at([number for corner in corners for number in corner], place))
    lowered = " ".join(f"{x},{y + down}" for x, y in corners)

    def dotted(old, new):
        return text[:begin] + dot.replace(old, new, 1) + text[begin + len(dot):]

    return {
        "a dot above its roof": (dotted(f'cy="{height}"', 'cy="10"'), "lies above its roof"),
        "a number above its roof": (dotted(f'data-y="{value}"', f'data-y="{1.6 * float(limit)}"'), "lies above its roof"),
        "a dot at a wrong place": (dotted(f'cy="{height}"', f'cy="{int(height) + 40}"'), "it is drawn "),
        "a roof at a wrong place": (
            text[:roof] + text[roof:].replace(points, lowered, 1), "lies above its roof"),
        "a dot under no roof": (dotted(f'data-under="{under}"', 'data-under="L9"'), "lies under no roof"),
        "a dot without a limit": (dotted(f'data-limit="{limit}"', ""), "has no numbers"),
        "a dot without words": (dotted(f'data-tip="{tip}"', 'data-tip="fast"'), "tells no numbers"),
        "a silent mouse": (replaced('"pointerenter"', '"pointerout"'), "under the mouse"),
        "a silent focus": (replaced('spot.addEventListener("focus"', 'spot.addEventListener("focusout"'), "keyboard's focus"),
        "no arrows": (replaced("ArrowRight: 1", "ArrowUp: 1"), "arrow to the right"),
        "words that stay": (replaced('"Escape"', '"End"'), "Escape does not"),
        "words outside of the window": (replaced("</style>", ".tip { margin-left: -2000px; }</style>"), "outside of the window"),
        "no tabulator": (
            text.replace('role="img" tabindex="0"', 'role="img" tabindex="-1"'), "the tabulator reaches none"),
    }
