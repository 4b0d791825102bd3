"""A figure of the engine's table."""

import dataclasses


class Skipped(Exception):
    """Why a row has no figures."""


@dataclasses.dataclass
class Figure:
    """What terse reaches; smaller is better. Without a peer, `theirs` is left out."""

    what: str
    ours: float
    unit: str
    peer: str = ""
    theirs: float | None = None
    ratio: float | None = None  # the largest part of the peer's that is wanted
    most: float | None = None  # the largest number that is wanted

    def targets(self):
        """Each as text, and whether it is reached."""
        if self.ratio is not None:
            yield f"{self.ratio:.3g} of it", self.ours <= self.ratio * self.theirs
        if self.most is not None:
            yield f"{self.most:g} {self.unit}".rstrip(), self.ours <= self.most

    def row(self):
        theirs = "" if self.theirs is None else f"{self.theirs:.4g} {self.unit}"
        ratio = "" if self.theirs is None else f"{self.ours / self.theirs:.3f}"
        wanted = list(self.targets())
        verdict = "" if not wanted else "reached" if all(reached for _, reached in wanted) else "missed"
        cells = [self.what, self.peer, theirs, f"{self.ours:.4g} {self.unit}", ratio, ", ".join(text for text, _ in wanted), verdict]
        return "| " + " | ".join(cell.strip() for cell in cells) + " |"


def needs(options, *names):
    for name in names:
        if getattr(options, name) is None:
            raise Skipped(f"needs --{name.replace('_', '-')}")
