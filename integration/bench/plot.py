"""Clients against throughput, and against what the upstream has to send: an SVG without any library."""
import math
import shutil
import subprocess
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 960, 420
TOP, BOTTOM, PANEL = 74, 360, 360
INK, MUTED, RULE = "#1f2328", "#656d76", "#d8dee4"
LINES = {"static": ("nginx static file", "#8b949e"), "backend": ("git http-backend", "#d1730a"), "tankard": ("tankard, warm", "#0969da"),
         "warm": ("tankard, warm", "#0969da"), "cold": ("tankard, cold", "#8250df")}


def _text(x, y, text, colour=MUTED, anchor="middle", size=12, weight="normal"):
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}">{escape(str(text))}</text>\n'


def _rule(x1, y1, x2, y2):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{RULE}"/>\n'


class _Panel:
    """A square of the picture: numbers of clients to the right, values (a scale of logarithms, with room for 0) upwards."""

    def __init__(self, left, title, clients, values, unit):
        self.left, self.clients, self.unit = left, clients, unit
        lowest = min([v for v in values if v > 0], default=1)
        self.low = max(t for t in self._round_numbers(lowest) if t <= lowest)
        self.high = max(max(values) * 1.15, self.low * 10)
        self.zero = min(values) == 0    # gets a line of its own below the scale
        self.out = [_text(left, TOP - 44, title, INK, "start", 15, "bold")]
        self._axes()

    @staticmethod
    def _round_numbers(upto):
        """1, 2, 5, 10 .. from far below to a little above a value."""
        return [digit * 10.0 ** power for power in range(-6, math.ceil(math.log10(upto)) + 1) for digit in (1, 2, 5)]

    def x(self, clients):
        return self.left + PANEL * (self.clients.index(clients) + 0.5) / len(self.clients)

    def y(self, value):
        floor = BOTTOM - (28 if self.zero else 0)
        if value <= 0:
            return BOTTOM
        return floor - (floor - TOP) * math.log10(value / self.low) / math.log10(self.high / self.low)

    def _axes(self):
        ticks = [0] if self.zero else []
        ticks += [t for t in self._round_numbers(self.high) if self.low <= t <= self.high]
        for tick in ticks:
            self.out.append(_rule(self.left, self.y(tick), self.left + PANEL, self.y(tick)))
            self.out.append(_text(self.left - 8, self.y(tick) + 4, f"{tick:,.10g}", anchor="end"))
        for clients in self.clients:
            self.out.append(_text(self.x(clients), BOTTOM + 20, clients))
        self.out.append(_text(self.left + PANEL / 2, BOTTOM + 40, "clients at once"))
        self.out.append(_text(self.left, TOP - 26, self.unit, anchor="start"))

    def line(self, key, values, width):
        name, colour = LINES[key]
        points = [(self.x(c), self.y(v)) for c, v in zip(self.clients, values)]
        self.out.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="none" stroke="{colour}" stroke-width="{width}"/>\n')
        self.out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"><title>{escape(name)}: {v:,.4g}</title></circle>\n'
                     for (x, y), v in zip(points, values)]

    def legend(self, keys):
        x = self.left
        for key in keys:
            name, colour = LINES[key]
            self.out.append(f'<rect x="{x:.1f}" y="{TOP - 20}" width="12" height="4" fill="{colour}"/>\n')
            self.out.append(_text(x + 17, TOP - 13, name, INK, "start"))
            x += 17 + 7 * len(name) + 14


def _panel(left, title, unit, clients, series, keys):
    panel = _Panel(left, title, clients, [v for key in keys for v in series[key]], unit)
    panel.legend(keys)
    for n, key in enumerate(keys):
        panel.line(key, series[key], 5 if n == 0 else 2.5)  # where lines lie on each other both can be seen
    return panel.out


def drawn(series):
    clients = series["clients"]
    rates = {key: [value / 1e6 for value in values] for key, values in series["rates"].items()}
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
             'font-family="system-ui, sans-serif" role="img">\n', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n',
             *_panel(76, f"Clones of {series['repository']}, all clients together", "MB/s", clients, rates, ("static", "backend", "tankard")),
             *_panel(560, "Packs the upstream has to send", "transfers", clients, series["transfers"], ("backend", "cold", "warm")), "</svg>\n"]
    return "".join(parts)


def to_png(svg):
    """Beside the SVG, where rsvg-convert is installed."""
    if shutil.which("rsvg-convert"):
        subprocess.run(["rsvg-convert", "--zoom=2", "-o", svg.removesuffix(".svg") + ".png", svg], check=True)
