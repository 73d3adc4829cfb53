"""Prints what was measured: the table, the proportions, and whether they are as promised."""

import os
from statistics import median

KINDS = ("change-free", "changing")
# The round trip that the promises are about, in milliseconds.
DISTANT = 50
# How much slower than the floor `deploy` may be, by kind and number of servers.
LIMITS = {("change-free", 1): 1.3, ("changing", 1): 1.5, ("change-free", 8): 1.3,
          ("changing", 8): 1.3}
# How many times as fast as others it is to be.
FASTER = {"ansible": 7, "rsync": 2}


def table(results, tools):
    """Returns the Markdown table of medians, with all runs in brackets."""
    lines = [
        "| servers | round trip | deploy | " + " | ".join(tool.title for tool in tools) + " |",
        "|---|---|---|" + "---|" * len(tools),
    ]
    for (servers, delay, kind), measured in results.items():
        cells = [told(measured[tool.name]) for tool in tools]
        lines.append(f"| {servers} | {delay} ms | {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def told(seconds):
    runs = " ".join(f"{value:.2f}" for value in sorted(seconds))
    return f"**{median(seconds):.2f}** ({runs})"


def proportions(results, tools):
    """Returns, for each row, how many times as long as the floor and as `deploy` each took."""
    lines = []
    for (servers, delay, kind), measured in results.items():
        medians = {tool.name: median(measured[tool.name]) for tool in tools}
        said = [f"{name}: " + compared(value, medians) for name, value in medians.items()]
        lines.append(f"{servers} x {delay} ms, {kind}: " + "; ".join(said))
    return "\n".join(lines)


def compared(value, medians):
    parts = []
    for other in ("floor", "deploy"):
        if other in medians:
            parts.append(f"{value / medians[other]:.2f} {other}s")
    return ", ".join(parts)


def promises(results):
    """Returns a line for each promise that was measured, with what became of it."""
    lines = []
    for (servers, delay, kind), measured in results.items():
        if delay != DISTANT or "deploy" not in measured:
            continue
        medians = {name: median(values) for name, values in measured.items()}
        where, ours = f"{kind}, {servers} at {delay} ms", medians["deploy"]
        if "floor" in medians and (kind, servers) in LIMITS:
            ratio, limit = ours / medians["floor"], LIMITS[kind, servers]
            lines.append(f"{verdict(ratio <= limit)}  {where}: {ratio:.2f} times the floor "
                         f"(promised: at most {limit})")
        for name, factor in FASTER.items():
            if name in medians:
                ratio = medians[name] / ours
                lines.append(f"{verdict(ratio >= factor)}  {where}: {ratio:.1f} times as fast as "
                             f"{name} (promised: at least {factor})")
    return "\n".join(lines)


def verdict(kept):
    return "kept    " if kept else "NOT kept"


def machine():
    """Returns what the numbers depend on besides the tools."""
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores for all, load {load:.1f} at the end"
