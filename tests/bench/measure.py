"""Samples, medians and the table. Times are in milliseconds; what counts is the ratio of two medians of one run."""

import json
import statistics
import time

WARM_UPS = 2


def timed(action):
    """How long one call of `action` takes, in ms."""
    begin = time.perf_counter()
    action()
    return (time.perf_counter() - begin) * 1000


def by_turns(rounds, *runs):
    """Each of `runs` gives one sample in ms (or None: nothing to measure); they take turns, so that what else the
    machine does meets all of them. One Sample each."""
    lists = [[] for _ in runs]
    for number in range(WARM_UPS + rounds):
        for run, samples in zip(runs, lists):
            value = run()
            if number >= WARM_UPS and value is not None:
                samples.append(value)
    return [Sample(samples) for samples in lists]


class Sample:
    def __init__(self, values):
        self.values = sorted(values)

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def p90(self):
        return self.values[min(len(self.values) - 1, int(len(self.values) * 0.9))]

    def json(self):
        return {"median_ms": round(self.median, 4), "p90_ms": round(self.p90, 4), "min_ms": round(self.values[0], 4),
                "runs": len(self.values)}


class Row:
    """One line of the table: ours, what stands beside it, and how many times as long ours may take."""

    def __init__(self, what, ours, beside_what, beside, limit=None):
        self.what, self.ours, self.beside_what, self.beside, self.limit = what, ours, beside_what, beside, limit

    @property
    def ratio(self):
        return self.ours.median / self.beside.median if self.beside else None

    def cells(self):
        beside = milliseconds(self.beside.median) if self.beside else "not measured"
        ratio = "%.2f" % self.ratio if self.beside else ""
        limit = "" if self.limit is None else "at most %g" % self.limit
        if self.limit is not None and self.beside:
            limit += ": held" if self.ratio <= self.limit else ": NOT held"
        return [self.what, milliseconds(self.ours.median), milliseconds(self.ours.p90), self.beside_what, beside, ratio, limit]

    def json(self):
        return {"what": self.what, "ours": self.ours.json(), "beside_what": self.beside_what,
                "beside": self.beside.json() if self.beside else None,
                "ratio": round(self.ratio, 3) if self.beside else None, "limit": self.limit}


class Memory:
    """One line about resident memory, in KiB."""

    def __init__(self, what, kib):
        self.what, self.kib = what, kib

    def cells(self):
        return [self.what, "%d KiB" % self.kib, "", "", "", "", ""]

    def json(self):
        return {"what": self.what, "kib": self.kib}


def milliseconds(value):
    if value >= 10_000:
        return "%.1f s" % (value / 1000)
    return "%.3f ms" % value if value < 1 else "%.2f ms" % value if value < 10 else "%.1f ms" % value


def table(rows):
    lines = [["what", "ours, median", "p90", "beside it", "median", "ours/that", "limit"], *(row.cells() for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    right = {1, 2, 4, 5}

    def text(line):
        return "  ".join(cell.rjust(width) if i in right else cell.ljust(width)
                         for i, (cell, width) in enumerate(zip(line, widths))).rstrip()

    return "\n".join([text(lines[0]), "-" * (sum(widths) + 2 * len(widths) - 2),
                      *(text(line) for line in lines[1:])])


def write_json(path, rows, surroundings):
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"surroundings": surroundings, "rows": [row.json() for row in rows]}, file, indent=2)
        file.write("\n")
