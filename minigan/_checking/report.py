"""What gradcheck found, and how it is printed."""

from __future__ import annotations

from dataclasses import dataclass, field

PASS, FAIL, INCONCLUSIVE, SKIPPED = "pass", "FAIL", "INCONCLUSIVE", "skipped"


class GradcheckError(AssertionError):
    """A gradient differs from the numerical derivative; ``report`` holds the comparison."""

    def __init__(self, report: Report):
        super().__init__(str(report))
        self.report = report


@dataclass(frozen=True)
class Row:
    """One comparison: ``error`` is relative, ``verdict`` is pass, FAIL or INCONCLUSIVE."""

    order: int
    inputs: str
    method: str
    engine: float
    numerical: float
    error: float
    tolerance: float
    verdict: str

    def __str__(self) -> str:
        return (
            f"order {self.order}  {self.inputs:<10} {self.method:<8} engine {self.engine:+.12e}  "
            f"numerical {self.numerical:+.12e}  relative error {self.error:.1e} "
            f"(allowed {self.tolerance:.1e})  {self.verdict}"
        )


@dataclass(frozen=True)
class Check:
    """A property of the gradient beside its values: pass, FAIL, or skipped with the reason."""

    name: str
    verdict: str
    detail: str = ""
    deviation: float = 0.0

    def __str__(self) -> str:
        return f"{self.name}: {self.verdict}{f' ({self.detail})' if self.detail else ''}"


@dataclass
class Report:
    """All comparisons of one gradcheck; true where every one passed.

    Attributes:
        rows: the comparisons along random directions.
        checks: properties: repeatable, unchanged inputs, memory layouts, float32, ….
        resampled: how many points were given up because they lay on a kink.
        notes: what else was seen, such as a fall back to central differences.
        findings: of a failure: the worst entries and what may have caused it.
        reproducer: the call that shows it again, on one line.
    """

    rows: list[Row] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    resampled: int = 0
    notes: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    reproducer: str = ""

    @property
    def ok(self) -> bool:
        return (
            bool(self.rows)
            and all(row.verdict == PASS for row in self.rows)
            and all(check.verdict in (PASS, SKIPPED) for check in self.checks)
        )

    @property
    def verdict(self) -> str:
        """FAIL where anything fails; INCONCLUSIVE where nothing fails, but not all passed."""
        verdicts = {x.verdict for x in (*self.rows, *self.checks)}
        return PASS if self.ok else FAIL if FAIL in verdicts else INCONCLUSIVE

    def __bool__(self) -> bool:
        return self.ok

    def worst(self, order: int) -> float:
        """The largest relative error at an order; of derivatives that are rounding, none."""
        errors = [
            row.error
            for row in self.rows
            if row.order == order and (row.error <= row.tolerance or row.verdict != PASS)
        ]
        return max(errors, default=0.0)

    def __str__(self) -> str:
        lines = [f"gradcheck: {self.verdict}"]
        lines += [f"  {row}" for row in self.rows]
        passed = [
            f"{check.name}{f' ({check.detail})' if check.detail else ''}"
            for check in self.checks
            if check.verdict == PASS
        ]
        if passed:
            lines.append(f"  also: {', '.join(passed)}")
        lines += [f"  {check}" for check in self.checks if check.verdict != PASS]
        if self.resampled:
            lines.append(f"  points on a kink, drawn again: {self.resampled}")
        lines += [f"  note: {note}" for note in self.notes]
        lines += [f"  {finding}" for finding in self.findings]
        if self.reproducer:
            lines.append(f"  again: {self.reproducer}")
        return "\n".join(lines)
