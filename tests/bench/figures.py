"""A figure of the engine's table."""

import dataclasses


class Skipped(Exception):
    """Why a row has no figures."""


@dataclasses.dataclass
class Figure:
    what: str
    target: float | None  # the largest ratio that is wanted
    peer: str
    theirs: float
    ours: float
    unit: str

    @property
    def ratio(self):
        return self.ours / self.theirs

    def row(self):
        target = "" if self.target is None else f"<= {self.target:g}"
        verdict = "" if self.target is None else "reached" if self.ratio <= self.target else "missed"
        return f"| {self.what} | {self.peer} | {self.theirs:.4g} {self.unit} | {self.ours:.4g} {self.unit} | {self.ratio:.3f} | {target} | {verdict} |"


def needs(options, *names):
    for name in names:
        if getattr(options, name) is None:
            raise Skipped(f"needs --{name}")
