#!/usr/bin/env python3
"""Opens a page of results in a real Chromium and checks that it works.

    check_page.py PAGE.html [--chart TITLE]... [--screenshots DIR]
    check_page.py PAGE.html --self-test

Needs Chromium (`apt-get install chromium`; another one by $CHROMIUM) and Python's standard library.

- Nothing is logged as an error or a warning, no script fails, and nothing is loaded but the page.
- There are as many charts as the page says it has, each with a size and something drawn in it, and
  those named by --chart are among them.
- A click on each title of each table sorts its numbers upwards, another one downwards, and so does
  the keyboard.
- Letters stand out from what is behind them, light and dark; pictures are decoded; the page is no
  wider than a large, a usual or a telephone's window, no chart is cut there, and letters can be read.
- Dots of a roofline lie under their roofs; every place of a chart that has words tells them to the mouse
  and to the keyboard (page_spots.py).
- SVG files that lie beside the page are XML, PNG files are whole, and both have something drawn in them.

`--self-test` breaks the page in several ways and sees each of them noticed.
"""

import argparse
import base64
import json
import os
import pathlib
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
import zlib

import page_spots

# Seconds for one answer of the browser.
PATIENCE = 60
# Least ratio of luminance between letters and their background (WCAG 2.2, §1.4.3: 4.5 for text,
# §1.4.11: 3 for graphics).
TEXT_CONTRAST = 4.5
CHART_CONTRAST = 3.0

CHARTS = """
[...document.querySelectorAll('figure.chart')].map(figure => {
  const svg = figure.querySelector('svg[role=img], svg[role=group]');
  if (!svg) return {title: '', width: 0, height: 0, shapes: 0};
  const {width, height} = svg.getBoundingClientRect();
  const shapes = [...svg.querySelectorAll('polyline, polygon, rect, circle')];
  const drawn = shapes.filter(shape => { const box = shape.getBBox(); return box.width + box.height > 0; });
  return {title: (svg.querySelector('text') || svg).textContent.trim(),
          label: svg.getAttribute('aria-label'), width, height, shapes: drawn.length};
})
"""

TABLES = """
[...document.querySelectorAll('table.sortable')].map(table => ({
  rows: table.tBodies[0].rows.length,
  columns: [...table.tHead.rows[0].cells].map(head => head.textContent.trim()),
}))
"""

# Of one column: its order, its numbers (null where a cell has none), and how it is sorted.
COLUMN = """
(() => {
  const table = document.querySelectorAll('table.sortable')[%d];
  const rows = [...table.tBodies[0].rows];
  rows.forEach((row, index) => row.dataset.first ??= index);
  return {
    sort: table.tHead.rows[0].cells[%d].getAttribute('aria-sort'),
    order: rows.map(row => Number(row.dataset.first)),
    numbers: rows.map(row => 'value' in row.cells[%d].dataset ? Number(row.cells[%d].dataset.value) : null),
    texts: rows.map(row => row.cells[%d].textContent.trim()),
  };
})()
"""

BUTTON = """
(() => {
  const button = document.querySelectorAll('table.sortable')[%d].tHead.rows[0].cells[%d].querySelector('button');
  button.scrollIntoView({block: 'center', inline: 'center'});
  const box = button.getBoundingClientRect();
  return {x: box.x + box.width / 2, y: box.y + box.height / 2};
})()
"""

# Colours of letters and of what is behind them.
COLOURS = """
(() => {
  const behind = element => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (colour !== 'rgba(0, 0, 0, 0)') return colour;
    }
    return getComputedStyle(document.documentElement).colorScheme.includes('dark') ? 'rgb(0, 0, 0)' : 'rgb(255, 255, 255)';
  };
  const of = (kind, elements, property) => [...elements].slice(0, 4000).map(element => ({
    kind, text: element.textContent.trim().slice(0, 40),
    colour: getComputedStyle(element)[property], behind: behind(element)}));
  const onCells = 'text[fill="#FFFFFE"]';
  return [
    ...of('text', document.querySelectorAll('h1, h2, h3, p, dt, dd, li, td, th button, figcaption, caption'), 'color'),
    ...of('chart', document.querySelectorAll(`.chart svg text:not(${onCells})`), 'fill'),
    ...of('chart', document.querySelectorAll('.chart svg polyline[stroke-width="7"]'), 'stroke'),
  ];
})()
"""


# Charts that are wider than their place, but for those that say that they scroll.
CUT = """
[...document.querySelectorAll('figure.chart')]
  .filter(figure => figure.scrollWidth > figure.clientWidth + 1 && !figure.classList.contains('scrolls'))
  .map(figure => figure.querySelector('svg text')?.textContent ?? '')
"""

# The smallest letters of the charts that adapt themselves to the window, as they are seen.
SMALLEST_LETTERS = """
[...document.querySelectorAll('.chart.fluid svg text')].filter(text => text.getClientRects().length > 0)
  .map(text => {
    const svg = text.ownerSVGElement;
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    return {size: parseFloat(getComputedStyle(text).fontSize) * scale, text: text.textContent.trim()};
  })
  .reduce((least, one) => least.size === null || one.size < least.size ? one : least, {size: null, text: ''})
"""
LEAST_LETTERS = 7.0


class Browser:
    """A headless Chromium, spoken to through a pipe (Chrome DevTools protocol)."""

    def __init__(self):
        program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
        if not program:
            sys.exit("check_page.py: no Chromium: apt-get install chromium, or name one by $CHROMIUM")
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_browser, self.output = os.pipe()
        self.input, from_browser = os.pipe()

        def take_places():
            # The browser reads at 3 and writes at 4; both are moved out of the way first.
            read, write = os.dup(to_browser), os.dup(from_browser)
            while min(read, write) < 5:
                read, write = os.dup(read), os.dup(write)
            os.dup2(read, 3)
            os.dup2(write, 4)

        options = ["--headless", "--remote-debugging-pipe", "--disable-gpu", "--disable-dev-shm-usage",
                   "--no-first-run", "--disable-background-networking", "--hide-scrollbars",
                   f"--user-data-dir={self.folder.name}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            options.append("--no-sandbox")  # which root cannot have
        self.process = subprocess.Popen(
            [program, *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, close_fds=False, preexec_fn=take_places)
        os.close(to_browser)
        os.close(from_browser)
        self.buffer, self.number, self.session, self.events = b"", 0, None, []

    def receive(self, deadline):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.input], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError("the browser does not answer")
            part = os.read(self.input, 1 << 16)
            if not part:
                raise EOFError("the browser has ended")
            self.buffer += part
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.output, data):]
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self.receive(deadline)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method):
        deadline = time.monotonic() + PATIENCE
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.receive(deadline))

    def open(self, address):
        """A new tab with this page; forgets the events of others."""
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.events = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.window(1280, 900)
        self.call("Page.navigate", url=address)
        self.wait_for("Page.loadEventFired")
        return target

    def close_tab(self, target):
        self.session = None
        self.call("Target.closeTarget", targetId=target)

    def value(self, script):
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"])
        return result["result"].get("value")

    def window(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=False)

    def scheme(self, name):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def click(self, x, y):
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def move(self, x, y):
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def press(self, name, code, **text):
        key = {"key": name, "code": name, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    def screenshot(self, path):
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        pathlib.Path(path).write_bytes(base64.b64decode(picture["data"]))

    def end(self):
        self.session = None
        try:
            self.call("Browser.close")
            self.process.wait(10)
        except (OSError, EOFError, TimeoutError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        os.close(self.output)
        os.close(self.input)
        self.folder.cleanup()


def event_findings(events, address):
    """What was logged, failed or loaded."""
    for event in events:
        parameters = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                details = parameters["exceptionDetails"]
                yield f"script: {details.get('exception', {}).get('description', details['text'])}"
            case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "warning", "assert"):
                yield f"console: {[argument.get('value') for argument in parameters['args']]}"
            case "Log.entryAdded" if parameters["entry"]["level"] in ("error", "warning"):
                yield f"log: {parameters['entry']['text']}"
            case "Network.requestWillBeSent":
                url = parameters["request"]["url"]
                if url != address and not url.startswith("data:"):
                    yield f"network: loads {url}"


def chart_findings(browser, titles):
    charts = browser.value(CHARTS)
    promised = int(browser.value("document.body.dataset.charts ?? -1"))
    sound = [chart for chart in charts if min(chart["width"], chart["height"]) >= 80 and chart["shapes"] > 0]
    if len(sound) != promised:
        yield f"charts: {promised} promised, {len(sound)} of {len(charts)} figures show something"
    for chart in sound:
        if not chart["label"]:
            yield f"charts: `{chart['title']}` has no label"
    shown = [chart["title"] for chart in sound]
    for title in titles:
        if title not in shown:
            yield f"charts: `{title}` is missing; there are {shown}"


def click_title(browser, table, column):
    place = browser.value(BUTTON % (table, column))
    browser.click(place["x"], place["y"])
    return browser.value(COLUMN % (table, *[column] * 4))


def sorting_findings(browser):
    for table, facts in enumerate(browser.value(TABLES)):
        for column, title in enumerate(facts["columns"]):
            where = f"tables: table {table}, column `{title}`"
            before = browser.value(COLUMN % (table, *[column] * 4))
            up = click_title(browser, table, column)
            down = click_title(browser, table, column)
            if (up["sort"], down["sort"]) != ("ascending", "descending"):
                yield f"{where}: says it is sorted {up['sort']}, then {down['sort']}"
            if sorted(up["order"]) != sorted(before["order"]) or sorted(down["order"]) != sorted(before["order"]):
                yield f"{where}: rows are lost"
            # What is absent stays at the end either way.
            if len(set(filter(None, before["texts"]))) > 1 and up["order"] == down["order"]:
                yield f"{where}: a click does not change the order"
            for state, reverse in ((up, False), (down, True)):
                numbers = [number for number in state["numbers"] if number is not None]
                expected = sorted(numbers, reverse=reverse) + [None] * (len(state["numbers"]) - len(numbers))
                if numbers and state["numbers"] != expected:
                    yield f"{where}: not {state['sort']}: {state['numbers'][:8]}"
        browser.value(f"document.querySelectorAll('table.sortable')[{table}].querySelector('button').focus()")
        browser.press("Enter", 13, text="\r")
        if browser.value(COLUMN % (table, 0, 0, 0, 0))["sort"] is None:
            yield f"tables: table {table} does not listen to the keyboard"


def luminance(colour):
    """Of `rgb(r, g, b)`, relative (WCAG 2.2)."""
    numbers = colour[colour.index("(") + 1:colour.index(")")].replace(",", " ").split()[:3]
    parts = [float(number) / 255 for number in numbers]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def colour_findings(browser, scheme):
    least = {"text": TEXT_CONTRAST, "chart": CHART_CONTRAST}
    worst = {}
    for element in browser.value(COLOURS):
        if not element["colour"].startswith("rgb"):
            continue
        ratio = contrast(element["colour"], element["behind"])
        if ratio < least[element["kind"]]:
            worst.setdefault((element["kind"], element["colour"], element["behind"]), (ratio, element["text"]))
    for (kind, colour, behind), (ratio, text) in worst.items():
        yield f"colours: {scheme}: {kind} `{text}` in {colour} on {behind}: a contrast of {ratio:.1f}"


def look_findings(browser, screenshots, name):
    """Light and dark, wide and narrow."""
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        yield from colour_findings(browser, scheme)
        for width in (1920, 1280, 390):
            browser.window(width, 900)
            needed = browser.value("document.documentElement.scrollWidth")
            if needed > width:
                yield f"size: {needed} pixels wide in a window of {width}"
            for cut in browser.value(CUT):
                yield f"size: `{cut}` is cut in a window of {width}"
            small = browser.value(SMALLEST_LETTERS)
            if small["size"] is not None and small["size"] < LEAST_LETTERS:
                yield f"size: letters of {small['size']:.1f} pixels, `{small['text']}`, in a window of {width}"
            if screenshots:
                browser.screenshot(screenshots / f"{name}-{scheme}-{width}.png")
        browser.window(1280, 900)


def picture_fault(data):
    """What is wrong with a PNG file; none if it is whole and shows more than one colour."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return "does not begin as a PNG file does"
    at, kinds, body = 8, [], b""
    while at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        chunk = data[at + 8:at + 8 + length]
        if data[at + 8 + length:at + 12 + length] != struct.pack(">I", zlib.crc32(kind + chunk)):
            return f"has a chunk {kind!r} whose checksum is wrong"
        body += chunk if kind == b"IDAT" else b""
        header = chunk if kind == b"IHDR" else header if kinds else b""
        kinds.append(kind)
        at += 12 + length
    if at != len(data) or kinds[:1] != [b"IHDR"] or kinds[-1:] != [b"IEND"]:
        return "is cut off"
    width, height, depth, colours = struct.unpack(">IIBB", header[:10])
    try:
        pixels = zlib.decompress(body)
    except zlib.error as error:
        return f"cannot be decompressed: {error}"
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colours]
    if len(pixels) != height * (1 + (width * channels * depth + 7) // 8):
        return f"has {len(pixels)} bytes for {width} by {height} pixels"
    if len(set(pixels)) < 3:
        return "shows nothing"
    return None


def file_findings(folder):
    """SVG and PNG files that no strict reader would take."""
    for path in sorted(folder.glob("*.png")):
        fault = picture_fault(path.read_bytes())
        if fault:
            yield f"files: {path.name} {fault}"
    for path in sorted(folder.glob("*.svg")):
        try:
            root = xml.etree.ElementTree.parse(path).getroot()
        except xml.etree.ElementTree.ParseError as error:
            yield f"files: {path.name} is no XML: {error}"
            continue
        if root.tag != "{http://www.w3.org/2000/svg}svg" or len(root) < 3:
            yield f"files: {path.name} is no drawing"


def check(browser, page, titles=(), screenshots=None):
    """All that is wrong with a page, as lines of text."""
    address = page.resolve().as_uri()
    target = browser.open(address)
    findings = [*chart_findings(browser, titles), *file_findings(page.parent)]
    undecoded = browser.value("[...document.images].filter(image => image.naturalWidth === 0).length")
    if undecoded:
        findings.append(f"images: {undecoded} cannot be decoded")
    findings += look_findings(browser, screenshots, page.stem)
    browser.scheme("light")
    findings += page_spots.findings(browser)
    findings += sorting_findings(browser)
    findings += event_findings(browser.events, address)
    browser.close_tab(target)
    return findings


def png(width, rows, row, height=None):
    """A picture of so many equal rows that says it has `height` of them."""
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height or rows, 8, 2, 0, 0, 0)
    body = zlib.compress((b"\0" + row) * rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def self_test(browser, page):
    """Each breach is noticed, and by the check that is meant to."""
    text = page.read_text()

    def replaced(old, new):
        if old not in text:
            sys.exit(f"self-test: the page has no {old!r} to break")
        return text.replace(old, new, 1)

    first = text.index("<figure class=\"chart fluid\">")
    body = text.index("viewBox=", first)
    breaches = {
        "an error": (replaced("</body>", "<script>missing();</script></body>"), "script: ReferenceError"),
        "a warning": (replaced("</body>", "<script>console.warn('x');</script></body>"), "console: ['x']"),
        "a missing chart": (text[:first] + text[text.index("</figure>", first) + 9:], "charts: "),
        "a hidden chart": (replaced("</style>", ".chart.chart:first-child svg { display: none; }</style>"), "charts: "),
        "an empty chart": (text[:text.index(">", body) + 1] + text[text.index("</svg>", body):], "charts: "),
        "no sorting": (replaced("rows.sort(", "[...rows].sort("), "does not change the order"),
        "wrong sorting": (replaced("sign * (a - b)", "sign * String(a).localeCompare(String(b))"), "not ascending"),
        "silent sorting": (replaced('head.setAttribute("aria-sort"', 'head.setAttribute("data-sort"'), "says it is sorted None"),
        "no keyboard": (replaced('addEventListener("click"', 'addEventListener("mousedown"'), "keyboard"),
        "a dark mode without charts": (text.replace(".chart svg [", ".nothing ["), "colours: dark: chart"),
        "pale letters": (replaced("</style>", "td { color: #ccc; }</style>"), "colours: light: text"),
        "a wide page": (replaced("</main>", "<p style='width: 3000px; max-width: none'>x</p></main>"), "size: "),
        "a cut chart": (replaced("</style>", ".chart.fluid svg { min-width: 2500px; }</style>"), "is cut in"),
        "tiny letters": (replaced("</style>", ".chart.fluid svg text { font-size: 10px; }</style>"), "size: letters of"),
        "a broken picture": (replaced("</main>", "<img src='data:image/png;base64,AQID'></main>"), "images: "),
        "something loaded": (
            replaced("<meta http-equiv=\"Content-Security-Policy\"", "<meta name=\"none\"").replace(
                "</main>", "<img src='elsewhere.png'></main>", 1), "network: loads"),
    }
    breaches.update(page_spots.breaches(text, replaced))
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, (broken, expected) in breaches.items():
            path = pathlib.Path(folder) / "page.html"
            path.write_text(broken)
            findings = check(browser, path)
            noticed = any(expected in finding for finding in findings)
            missed += not noticed
            shown = next((finding for finding in findings if expected in finding), findings[:3])
            print(f"{'noticed' if noticed else 'MISSED '} {name}: {shown}")
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "broken.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><text>a & b")
        (pathlib.Path(folder) / "empty.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
        whole = png(8, 8, bytes(range(24)))
        for name, content in (("no", b"GIF89a"), ("cut", whole[:-12]), ("wrong", whole.replace(b"IDAT", b"IDAU")),
                              ("blank", png(8, 8, bytes(24))), ("short", png(8, 7, bytes(range(24)), 8))):
            (pathlib.Path(folder) / f"{name}.png").write_bytes(content)
        assert picture_fault(whole) is None
        others = {
            "a chart that was asked for": list(check(browser, page, ["No such chart"])),
            "broken and empty files": list(file_findings(pathlib.Path(folder))),
        }
    for (name, findings), expected in zip(others.items(), (
            ["is missing"],
            ["is no XML", "is no drawing", "does not begin", "is cut off", "checksum is wrong", "shows nothing", "has 175 bytes"])):
        noticed = all(any(text in finding for finding in findings) for text in expected)
        missed += not noticed
        print(f"{'noticed' if noticed else 'MISSED '} {name}: {findings}"[:400])
    total = len(breaches) + len(others)
    print(f"self-test: {total - missed} of {total} breaches noticed")
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("--chart", action="append", default=[], metavar="TITLE", help="a chart that must be there")
    parser.add_argument("--screenshots", type=pathlib.Path, metavar="DIR", help="light and dark, wide and narrow")
    parser.add_argument("--self-test", action="store_true", help="break the page and see it noticed")
    arguments = parser.parse_args()
    if not arguments.page.is_file():
        parser.error(f"{arguments.page}: no such file")
    if arguments.screenshots:
        arguments.screenshots.mkdir(parents=True, exist_ok=True)
    browser = Browser()
    try:
        findings = check(browser, arguments.page, arguments.chart, arguments.screenshots)
        for finding in findings:
            print(finding)
        if not findings:
            print(f"{arguments.page}: nothing wrong")
        missed = self_test(browser, arguments.page) if arguments.self_test else 0
    finally:
        browser.end()
    sys.exit(1 if findings or missed else 0)


if __name__ == "__main__":
    main()
