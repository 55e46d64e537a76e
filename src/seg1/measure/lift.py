"""What contacts earned: customers by their assignment, treated against held out."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import overload

import numpy as np

from seg1._checks import check_int
from seg1._types import Bools, Float64s
from seg1.errors import InvalidArgumentError
from seg1.journal import DecisionLog
from seg1.measure.intervals import Clusters, Ratio, check_level, ratio, t_quantile
from seg1.measure.support import NotSupportedError, check_log, left_out

__all__ = ["Lift", "lift"]

_MOST_SURPRISE = 3.89  # standard deviations: a probability of 1e-4, both sides together


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """Reward per decision of treated customers, less that of held-out ones.

    Attributes
    ----------
    estimate
        `treated_mean` less `control_mean`.
    low, high
        Bounds of its interval at `level`.
    se
        Standard error, over customers.
    relative
        `estimate` as a share of `control_mean`; None where that mean is not above 0 beyond doubt
        (at `level`), as for a goal under which a held-out customer earns nothing.
    relative_low, relative_high
        Bounds of its interval at `level` (Fieller 1954); None where it is.
    treated_mean, control_mean
        Reward per decision of each group.
    n_treated, n_control
        Customers in each group.
    n_treated_rows, n_control_rows
        Their decisions.
    level
        Of the intervals.
    """

    estimate: float
    low: float
    high: float
    se: float
    relative: float | None
    relative_low: float | None
    relative_high: float | None
    treated_mean: float
    control_mean: float
    n_treated: int
    n_control: int
    n_treated_rows: int
    n_control_rows: int
    level: float


@overload
def lift(
    log: DecisionLog, *, by: None = None, level: float = 0.95, min_customers: int = 30
) -> Lift: ...
@overload
def lift(
    log: DecisionLog, *, by: str, level: float = 0.95, min_customers: int = 30
) -> dict[str, Lift]: ...
def lift(
    log: DecisionLog, *, by: str | None = None, level: float = 0.95, min_customers: int = 30
) -> Lift | dict[str, Lift]:
    """Compare the reward per decision of treated and held-out customers, by assignment.

    Rows that a holdout was drawn for (`holdout_prob` > 0) are used, all of them, whatever was
    shown. Where the share of customers held out cannot be chance (probability below 1e-4 under
    `holdout_prob`), one group has lost customers on the way, and no lift is told.

    Each group's figure is the sum of its rewards over the number of its decisions. With h the
    probability of being held out, held-out rows weigh 1 / h and others 1 / (1 - h), so that both
    groups stand for the same rows where h changed over time; with one h this is the plain mean. The
    standard error is that of the delta method over customers (Cameron, Miller 2015).

    It is a figure per *decision*. It is also what contacts earn per customer only where both groups
    are asked about equally often: compare decisions per customer. And it is what contacts *add*
    only where the reward counts what a customer brings without a contact too
    (`Goal.incremental`): under the other goals a held-out customer earns 0.

    Parameters
    ----------
    log
        Decisions, of held-out customers too.
    by
        Name of a label of the log: one lift for each of its values. Choose what a contact cannot
        change.
    level
        Of the intervals, in (0, 1).
    min_customers
        How many customers each group must have, >= 2.

    Returns
    -------
    Lift, or with `by` a dict
        From each value of the label, sorted, to its lift. Values with too few customers are not in
        it, as those with other shares than assigned, and a warning says how many.

    Raises
    ------
    NotSupportedError
        Where a group has too few customers, or more or fewer than were assigned; with `by`, for
        every value of the label.
    InvalidArgumentError
        For an argument out of its range, or a label that the log does not have.

    Examples
    --------
    >>> from seg1.events import Vocabulary
    >>> from seg1.journal import States
    >>> from seg1.offers import Arms, Goal, Offer
    >>> n = 100
    >>> is_control = np.arange(n) % 2 == 1
    >>> log = DecisionLog(
    ...     states=States(
    ...         arms=Arms.of([Offer("tea")], goal=Goal.response()), context=np.zeros((n, 0)),
    ...         eligible=np.ones((n, 2), bool), at_us=np.arange(n)),
    ...     arm=np.zeros(n, np.int32), action_prob=np.ones(n),
    ...     reward=np.where(is_control, 2.0, 3.0) + np.arange(n) % 4 // 2,
    ...     customers=Vocabulary(range(n)), customer_index=np.arange(n, dtype=np.int32),
    ...     is_control=is_control, holdout_prob=np.full(n, 0.5))
    >>> found = lift(log)
    >>> found.estimate, round(found.relative, 6)
    (1.0, 0.4)
    """
    check_log(log)
    check_level(level)
    check_int(min_customers, name="min_customers", low=2)
    is_drawn = log.holdout_prob > 0
    if by is None:
        return _lift(log, is_drawn, level, min_customers)
    lifts, refused = {}, []
    for name, has_label in _labelled(log, by):
        if (is_drawn & has_label).any():
            try:
                lifts[name] = _lift(log, is_drawn & has_label, level, min_customers)
            except NotSupportedError as error:
                refused.append(error)
    if not lifts:
        raise refused[0] if refused else _too_few(log, 0, 0, min_customers)
    if refused:
        warnings.warn(
            f"{len(refused)} of {len(lifts) + len(refused)} values of label {by!r} are left out: "
            f"fewer than {min_customers} customers treated or held out, or another share than was "
            "assigned; join them, or log longer",
            stacklevel=2,
        )
    return lifts


def _labelled(log: DecisionLog, by: str) -> Iterator[tuple[str, Bools]]:
    """Give each value of a label, sorted, and the rows that have it."""
    if by not in log.labels:
        known = ", ".join(sorted(log.labels)) or "none"
        raise InvalidArgumentError(f"the log has no label {by!r}; it has: {known}")
    codes = {name: code for code, name in enumerate(sorted(set(log.labels[by])))}
    of_row = np.array([codes[name] for name in log.labels[by]], dtype=np.int32)
    for name, code in codes.items():
        yield name, of_row == code


def _lift(log: DecisionLog, used: Bools, level: float, min_customers: int) -> Lift:
    customers = Clusters.of(log.customer_index[used])
    is_control, reward = log.is_control[used], log.reward[used]
    held_out = log.holdout_prob[used]
    n_treated = _n_customers(~is_control, customers)
    n_control = _n_customers(is_control, customers)
    if min(n_treated, n_control) < min_customers:
        raise _too_few(log, n_treated, n_control, min_customers)
    _check_share(is_control, held_out, customers)
    treated = _group_mean(reward, ~is_control / (1 - held_out), customers, n_treated)
    control = _group_mean(reward, is_control / held_out, customers, n_control)
    reach = t_quantile(level, n_customers=min(n_treated, n_control))
    estimate = treated.estimate - control.estimate
    # One pull for each customer, so that one who changed groups counts for both at once.
    pull = treated.pull - control.pull
    se = float(np.sqrt(pull @ pull))
    relative, relative_low, relative_high = _relative(treated, control, reach)
    return Lift(
        estimate=estimate,
        low=estimate - reach * se,
        high=estimate + reach * se,
        se=se,
        relative=relative,
        relative_low=relative_low,
        relative_high=relative_high,
        treated_mean=treated.estimate,
        control_mean=control.estimate,
        n_treated=n_treated,
        n_control=n_control,
        n_treated_rows=int((~is_control).sum()),
        n_control_rows=int(is_control.sum()),
        level=level,
    )


def _n_customers(is_member: Bools, customers: Clusters) -> int:
    return int(np.count_nonzero(np.bincount(customers.index[is_member])))


def _check_share(is_control: Bools, held_out: Float64s, customers: Clusters) -> None:
    """Refuse groups whose sizes are not those that were assigned, each customer at first sight."""
    _, first = np.unique(customers.index, return_index=True)
    h, n_control = held_out[first], np.count_nonzero(is_control[first])
    surprise = (abs(n_control - h.sum()) - 0.5) / np.sqrt((h * (1 - h)).sum())
    if surprise > _MOST_SURPRISE:
        raise NotSupportedError(
            f"{n_control} of {len(h)} customers are held out, where {h.sum():.0f} were to be: one "
            "group has lost customers between the assignment and the log; find out where"
        )


def _group_mean(reward: Float64s, weight: Float64s, customers: Clusters, n: int) -> Ratio:
    return ratio(weight * reward, weight, customers, n_customers=n)


def _too_few(
    log: DecisionLog, n_treated: int, n_control: int, min_customers: int
) -> NotSupportedError:
    return NotSupportedError(
        f"a lift needs at least {min_customers} customers in each group, got {n_treated} treated "
        f"and {n_control} held out; log longer, or hold out more{left_out(log)}"
    )


def _relative(
    treated: Ratio, control: Ratio, reach: float
) -> tuple[float, float, float] | tuple[None, None, None]:
    """Give treated / control - 1 and its bounds, where the control mean is above 0 beyond doubt.

    Fieller (1954): the ratios rho with ``(T - rho C)^2 <= reach^2 Var(T - rho C)``, an interval
    just where C^2 > reach^2 Var(C).
    """
    T, C = treated.estimate, control.estimate
    var_T = reach**2 * float(treated.pull @ treated.pull)
    var_C = reach**2 * float(control.pull @ control.pull)
    cov = reach**2 * float(treated.pull @ control.pull)
    leading = C**2 - var_C
    if C <= 0 or leading <= 0:
        return None, None, None
    middle = T * C - cov
    half = float(np.sqrt(max(middle**2 - leading * (T**2 - var_T), 0.0)))
    return T / C - 1, (middle - half) / leading - 1, (middle + half) / leading - 1
