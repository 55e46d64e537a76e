"""The laws of consent on many more cases than the suite draws.

Usage: ``python benchmarks/properties.py [--json] [--examples N]``, from the repository, with the
extra ``test``. It runs property tests of the suite with N cases each (5,000), whatever number they
fix, and prints for each law how many cases were drawn and held, in how many seconds. A quarter of
an hour or so. Cases that need a fit, or a whole engine, are slow: of those there are a tenth.
Where fewer cases are told than asked for, there are no more.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings

ROOT: Final = Path(__file__).parents[1]
SLOW: Final = 10
_SETTINGS: Final = "_hypothesis_internal_use_settings"  # a second decorator would be refused

_BUILDER: Final = "interactions/test_builder.py"
_FIT: Final = "recommend/test_training_consent.py"
LAWS: Final = {
    "scalar equals vectorised": (
        "consent/test_plan.py::test_one_customer_asked_alone_equals_the_check_of_many",
        "consent/test_policy.py::test_one_customer_asked_alone_gets_what_the_check_of_many_gives",
        "consent/test_ledger.py::test_many_at_once_equal_one_by_one",
        "consent/test_consent_columns.py::test_many_at_once_equal_one_by_one_after_every_batch",
    ),
    "a tree equals its strong-Kleene twin, with failing leaves": (
        "consent/test_filters.py::test_composition_equals_kleene_logic_one_by_one",
        "consent/test_plan.py::test_a_policy_equals_kleene_logic_with_vetoes_after_it",
    ),
    "where all leaves fail nothing is allowed": (
        "consent/test_plan.py::test_where_every_leaf_fails_nothing_is_allowed",
    ),
    "one more failing leaf opens nothing": (
        "consent/test_filters.py::test_one_more_failing_leaf_never_opens_anything",
    ),
    "order, splitting and repetition of customers change nothing": (
        "consent/test_plan.py::test_order_splitting_and_repetition_of_customers_change_nothing",
        "consent/test_policy.py::test_order_splitting_and_repetition_of_customers_change_nothing",
    ),
    "order and repetition of what was said change nothing": (
        "consent/test_ledger.py::test_the_state_depends_on_neither_order_nor_repetition",
        "consent/test_ledger.py::test_a_repetition_does_not_move_the_epoch",
    ),
    "time alone only removes, or starts a recorded grant": (
        "consent/test_ledger.py::test_time_alone_only_starts_or_ends_a_recorded_grant",
    ),
    "after a refusal nothing without a strictly newer grant": (
        "consent/test_ledger.py::test_after_a_refusal_nothing_without_a_strictly_newer_grant",
    ),
    "another member of all_of or another veto opens nothing": (
        "consent/test_plan.py::test_another_member_of_all_of_or_another_veto_never_opens_anything",
    ),
    "a matrix of masked events is bit-equal to one without the denied": (
        f"{_BUILDER}::test_training_on_masked_events_is_bit_equal_to_events_that_never_held_the_others",
    ),
}
SLOW_LAWS: Final = {
    "a fit on masked events is bit-equal to one without the denied, whatever their values": (
        f"{_FIT}::test_a_fit_on_masked_events_is_bit_equal_to_one_that_never_held_the_others",
    ),
    "no canary in a log line, an exception or a repr": (
        "consent/test_canaries.py::test_no_canary_stands_in_a_log_line_an_exception_or_a_repr",
    ),
}


class Many:
    """A plug-in of pytest: draw so many cases for each test, and count those that held.

    Parameters
    ----------
    n_examples
        Cases for each test.

    Attributes
    ----------
    n_held
        Cases that held, over all tests.
    seconds
        What they took.
    n_passed, n_failed
        Tests.
    """

    def __init__(self, n_examples: int) -> None:
        self._n_examples = n_examples
        self.n_held = 0
        self.seconds = 0.0
        self.n_passed = 0
        self.n_failed = 0

    def pytest_collection_modifyitems(self, items: Iterable[pytest.Function]) -> None:
        """Set the number of cases, and count them where hypothesis calls the test."""
        for test in {item.function for item in items}:
            fixed: settings = getattr(test, _SETTINGS)
            often = settings(
                fixed,
                max_examples=self._n_examples,
                deadline=None,
                database=None,
                suppress_health_check=[*fixed.suppress_health_check, HealthCheck.too_slow],
            )
            setattr(test, _SETTINGS, often)
            test.hypothesis.inner_test = self._counted(test.hypothesis.inner_test)

    def _counted(self, inner: Callable[..., None]) -> Callable[..., None]:
        @wraps(inner)
        def counting(*arguments: Any, **named: Any) -> None:  # noqa: ANN401  # whatever it draws
            inner(*arguments, **named)
            self.n_held += 1

        return counting

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count tests and time."""
        self.seconds += report.duration
        self.n_failed += report.failed
        self.n_passed += report.when == "call" and report.passed


def run(tests: Iterable[str], n_examples: int) -> dict[str, object]:
    """Run the tests of one law."""
    many = Many(n_examples)
    files = [str(ROOT / "tests" / test) for test in tests]
    # The plug-ins of pytest are there already when it is run once more.
    again = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    quiet = ["-q", "--no-header", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    with contextlib.redirect_stdout(sys.stderr):
        ending = pytest.main([*quiet, *again, *files], plugins=[many])
    return {
        "examples": many.n_held,
        "seconds": round(many.seconds, 1),
        "passed": ending == pytest.ExitCode.OK and many.n_passed > 0 and not many.n_failed,
    }


def main() -> None:
    """Run every law; fail where one does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object as the last line"
    )
    parser.add_argument("--examples", type=int, default=5_000)
    arguments = parser.parse_args()
    laws = [(law, tests, arguments.examples) for law, tests in LAWS.items()]
    laws += [(law, tests, max(1, arguments.examples // SLOW)) for law, tests in SLOW_LAWS.items()]
    figures: dict[str, dict[str, object]] = {}
    for law, tests, n_examples in laws:
        figures[law] = run(tests, n_examples)
        print(law, figures[law], file=sys.stderr, flush=True)
    print(json.dumps(figures, indent=None if arguments.json else 1))
    sys.exit(0 if all(of["passed"] for of in figures.values()) else 1)


if __name__ == "__main__":
    main()
