# SPDX-License-Identifier: GPL-2.0-only
"""The chart: what a packet costs end to end, against the number of rules, both logarithmic."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 860, 420
LEFT, TOP, PANEL, TALL, GAP = 60, 50, 300, 290, 60
COLOURS = ("#0b6e4f", "#c8553d", "#3066be", "#7a5195", "#b58900", "#888888", "#333333")
LOWEST = 5.0  # ns; what costs less is drawn there


def points(results, traffic):
    """filter: [(rules, ns)] of the lists of single addresses."""
    out = {}
    for row in results.get("veth", []):
        if row.get("traffic") != traffic or row.get("reference"):
            continue
        if row["list"].startswith("hosts"):
            out.setdefault(row["filter"], []).append((row["rules"], row["cost_ns"]))
    return {name: sorted(found) for name, found in out.items()}


class Panel:
    def __init__(self, left, title, series, most, ns_most):
        self.left, self.title, self.series = left, title, series
        self.most, self.ns_most = max(1.0, math.log10(most)), math.log10(ns_most / LOWEST)

    def x(self, rules):
        return self.left + PANEL * math.log10(rules) / self.most

    def y(self, ns):
        return TOP + TALL * (1 - math.log10(max(ns, LOWEST) / LOWEST) / self.ns_most)

    def axes(self):
        out = [f'<rect x="{self.left}" y="{TOP}" width="{PANEL}" height="{TALL}" fill="none" '
               f'stroke="#aaa"/>', text(self.left, TOP - 10, self.title)]
        for power in range(int(self.most) + 1):
            label = "1" if not power else f"{10 ** power:,}"
            out.append(text(self.x(10 ** power), TOP + TALL + 16, label, "middle"))
        for power in range(1, 1 + int(math.log10(LOWEST) + self.ns_most)):
            at = self.y(10 ** power)
            out.append(f'<line x1="{self.left}" x2="{self.left + PANEL}" y1="{at:.1f}" '
                       f'y2="{at:.1f}" stroke="#ddd"/>')
            out.append(text(self.left - 6, at + 4, f"{10 ** power:,}", "end"))
        return out

    def lines(self, colour):
        out = []
        for name, found in self.series.items():
            at = " ".join(f"{self.x(r):.1f},{self.y(ns):.1f}" for r, ns in found)
            out.append(f'<polyline points="{at}" fill="none" stroke="{colour[name]}" '
                       f'stroke-width="{3 if name == "bpfpol" else 1.5}"/>')
            out += [f'<circle cx="{self.x(r):.1f}" cy="{self.y(ns):.1f}" r="3" '
                    f'fill="{colour[name]}"/>' for r, ns in found]
        return out


def text(x, y, words, anchor="start"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="12" text-anchor="{anchor}">'
            f'{escape(words)}</text>')


def svg(results):
    kinds = {"matching": "dropped: ns over a bare XDP_DROP", "clean": "clean: ns over no filter"}
    series = {kind: points(results, kind) for kind in kinds}
    every = [p for s in series.values() for found in s.values() for p in found]
    most = max([r for r, _ in every] or [10])
    ns_most = max([ns for _, ns in every] or [0], default=0)
    ns_most = 10 ** math.ceil(math.log10(max(ns_most, 100)))
    names = sorted({name for s in series.values() for name in s}, key=lambda n: (n != "bpfpol", n))
    colour = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif">', f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           text(LEFT, 20, "What a filter adds to a packet, end to end over veth, by the number of "
                "addresses in its list")]
    for i, kind in enumerate(kinds):
        panel = Panel(LEFT + i * (PANEL + GAP), kinds[kind], series[kind], most, ns_most)
        out += panel.axes() + panel.lines(colour)
    for i, name in enumerate(names):
        at = TOP + 14 + 20 * i
        left = LEFT + 2 * PANEL + GAP + 14
        out.append(f'<line x1="{left}" x2="{left + 16}" y1="{at - 4}" y2="{at - 4}" '
                   f'stroke="{colour[name]}" stroke-width="3"/>')
        out.append(text(left + 20, at, name))
    out.append(text(LEFT, HEIGHT - 40, f"Both axes are logarithmic; {LOWEST:.0f} ns and less are "
                    "drawn at the lower edge."))
    return "\n".join(out + ["</svg>"]) + "\n"
