"""By what a server divides its loss, and how the method's normaliser is kept under each rule.

Servers of the Tinker kind agree on the names of the losses and not on their divisor: the reference
implementation sums over rows and tokens, SkyRL 0.3.0 takes the mean over rows of the mean over a
row's positions. A rule says by what the sum over a row's tokens is divided; multiplying the row's
advantages by the same number undoes it, since both losses are linear in the size of the advantage.
"""

from __future__ import annotations

from dataclasses import dataclass

from .rows import Row


@dataclass(frozen=True)
class Rule:
    """
    Args:
        rows: "sum" or "mean" over the rows.
        tokens: "sum" over a row's positions, their mean over the "row" or over the whole "batch".
        positions: which count in that mean: those of the "completion", or "all" of the row.
        calls: gradients of several forward_backward calls before one optim_step are added ("add"),
            or their rows taken together as if of one call ("pool").
        weights: the server is sent weights, 1 at the completion's positions.
    """

    rows: str
    tokens: str
    positions: str = "completion"
    calls: str = "add"
    weights: bool = True

    def divisors(self, calls: list[list[Row]]) -> list[list[float]]:
        """For each row of each call, what the server divides the sum over its tokens by."""
        pooled = [row for call in calls for row in call]
        out = []
        for call in calls:
            together = pooled if self.calls == "pool" else call
            batch = sum(map(self._counted, together)) if self.tokens == "batch" else 1
            outer = batch * (len(together) if self.rows == "mean" else 1)
            inner = [self._counted(row) if self.tokens == "row" else 1 for row in call]
            out.append([float(outer * each) for each in inner])
        return out

    def _counted(self, row: Row) -> int:
        return row.positions if self.positions == "all" else row.counted


def known_rules(weights: bool) -> list[Rule]:
    """Every rule that can be told from the others."""
    out = [Rule("sum", "sum", weights=weights)]
    for positions in ("completion", "all"):
        out.append(Rule("sum", "row", positions, weights=weights))
        for calls in ("add", "pool"):
            out.append(Rule("sum", "batch", positions, calls, weights))
            out.append(Rule("mean", "row", positions, calls, weights))
    out += [Rule("mean", "sum", calls=calls, weights=weights) for calls in ("add", "pool")]
    return out
