"""From what each round gave to what is shown: medians, ranges and ratios."""
import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class figure:
    label: str
    more_is_better: bool = False
    compared: bool = True  # with the reference


FIGURES = {  # in the order in which they are shown; {unit} and {units} are the workload's
    "rate": figure("{units}/s", more_is_better=True),
    "megabytes": figure("MB/s", more_is_better=True),
    "cpu": figure("server CPU, µs per {unit}"),
    "per_cpu": figure("{units} per second of server CPU", more_is_better=True),
    "p50": figure("latency p50, µs"),
    "p99": figure("latency p99, µs"),
    "p999": figure("latency p99.9, µs"),
    "silent_memory": figure("bytes per silent connection"),
    "used_memory": figure("bytes per connection after traffic"),
    "silent_heap": figure("the same by what the heap gave, silent"),
    "used_heap": figure("the same by what the heap gave, after traffic"),
    "instructions": figure("instructions per {unit}"),
    "allocations": figure("heap calls per {unit}"),
    "system_calls": figure("system calls per {unit}"),
    "receives": figure("of these to receive", compared=False),
    "sends": figure("of these to send", compared=False),
    "controls": figure("of these epoll_ctl", compared=False),
    "waits": figure("of these to wait", compared=False),
    "others": figure("of these others", compared=False),
    "lost": figure("{units} lost, %", compared=False),
    "server_busy": figure("server's core in use, %", compared=False),
    "load_busy": figure("load's core in use, %", compared=False),
}


@dataclasses.dataclass(frozen=True)
class spread:
    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values):
        return cls(statistics.median(values), min(values), max(values))


def ratios(reference, values, more_is_better):
    """Round by round how many times better than the reference; above 1 is better. None where one of them is nothing."""
    if 0 in reference or 0 in values:
        return None
    return spread.of([mine / its if more_is_better else its / mine for its, mine in zip(reference, values, strict=True)])


def show_number(value):
    """At least three digits that count, and no more than three behind the point."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if value == 0:
        return "0"
    digits = next((digits for digits, least in enumerate((100, 10, 1)) if abs(value) >= least), 3)
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits else text


def show_spread(found):
    middle, least, most = (show_number(value) for value in (found.median, found.least, found.most))
    return middle if least == most else f"{middle} ({least}–{most})"


def show_ratio(found):
    if found is None:
        return ""
    middle, least, most = (f"{value:.2f}" for value in (found.median, found.least, found.most))
    return middle if least == most else f"{middle} ({least}–{most})"


def table(work, results):
    """Rows of text, the first being the head, of `results`: for each server and figure what each round gave. The first server is the
    reference, and what it has is shown."""
    reference, *others = results
    rows = [[work.name, reference, *(text for name in others for text in (name, f"× {reference}"))]]
    for key, which in FIGURES.items():
        if key not in results[reference]:
            continue
        row = [which.label.format(unit=work.unit, units=work.units), show_spread(spread.of(results[reference][key]))]
        for name in others:
            if key not in results[name]:
                row += ["", ""]
                continue
            values = results[name][key]
            compared = ratios(results[reference][key], values, which.more_is_better) if which.compared else None
            row += [show_spread(spread.of(values)), show_ratio(compared)]
        rows.append(row)
    return rows


def markdown(rows):
    """The rows as a table whose source is one too; the first column to the left, the others to the right."""
    first, *rest = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = []
    for name, *cells in rows:
        aligned = [name.ljust(first), *(cell.rjust(width) for cell, width in zip(cells, rest, strict=True))]
        lines.append(f"| {' | '.join(aligned)} |")
    rule = "|".join(["-" * (first + 2), *("-" * (width + 1) + ":" for width in rest)])
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])
