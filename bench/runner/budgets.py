"""What exact figures may be."""
import dataclasses
import re

from . import processes

LINE = re.compile(r"(?P<work>\S+)\s+(?P<figure>\S+)\s+(?P<value>\d+(\.\d+)?)\s+(?P<slack>\d+(\.\d+)?)(?P<percent>%?)")


@dataclasses.dataclass(frozen=True)
class budget:
    work: str
    figure: str
    value: float
    slack: float  # how far off is still right, in the figure's own unit

    def verdict(self, found):
        """Nothing if `found` is right, otherwise what has to be done."""
        if found > self.value + self.slack:
            return "too much; a rise has to go"
        if found < self.value - self.slack:
            return "less than was; write the new figure down, and why in the commit"
        return ""


def parse(text):
    """The lines `WORKLOAD FIGURE VALUE SLACK` of a file, SLACK in per cent or absolute; "#" begins a comment."""
    result = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        found = LINE.fullmatch(line)
        if not found:
            raise processes.failure(f"budgets, line {number}: {line!r} is not WORKLOAD FIGURE VALUE SLACK")
        value, slack = float(found["value"]), float(found["slack"])
        result.append(budget(found["work"], found["figure"], value, value * slack / 100 if found["percent"] else slack))
    return result
