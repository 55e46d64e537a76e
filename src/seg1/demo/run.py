"""`run`: the whole story once, from the extract to the files in the folder."""

import json
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seg1.demo import story, telling
from seg1.demo.extract import Extract, load_extract
from seg1.demo.page import render
from seg1.demo.second_half import Decisions, decide_offers
from seg1.errors import InvalidArgumentError, MissingExtraError

__all__ = ["run"]

_MARKER = ".seg1-demo"
_TARGETS = ("report.html", "model", "demo-consent.sqlite", "decisions.sqlite")
N_SEEDS = 20


def run(
    out: Path, *, seed: int = 0, as_json: bool = False, n_seeds: int = N_SEEDS
) -> dict[str, Any]:
    """Tell the story at the terminal, and leave its results in a folder.

    Parameters
    ----------
    out
        The folder; made where missing. ``report.html``, ``model/``, ``demo-consent.sqlite`` and
        ``decisions.sqlite`` of an earlier run are replaced; files of these names that are not the
        demo's are refused.
    seed
        Of the synthetic consent, the fit, the intervals, the choice of households, and the
        decisions; >= 0.
    as_json
        Whether the last line is a JSON object with the figures.
    n_seeds
        How many simulated seeds the policies are compared on, >= 1.

    Returns
    -------
    dict
        That object.

    Raises
    ------
    DamagedError
        Where the bundled extract is not the one that was shipped.
    OSError
        Where the folder cannot be written. Then nothing in it has changed.
    """
    started = time.perf_counter()
    extract = load_extract()
    _check_targets(out)
    with _staging(out) as staging:
        figures = _tell(extract, out=out, staging=staging, seed=seed, n_seeds=n_seeds)
    figures = {"seconds": round(time.perf_counter() - started, 2), **figures}
    _say([f"   done in {figures['seconds']:.1f} s"])
    if as_json:
        _say([json.dumps(figures)])
    return figures


def _tell(extract: Extract, *, out: Path, staging: Path, seed: int, n_seeds: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    shop = story.open_shop(extract, consent_file=staging / "demo-consent.sqlite", rng=rng)
    with shop.ledger:
        told = _tell_shop(shop, staging=staging, seed=seed, rng=rng)
        decisions = decide_offers(
            shop,
            told.models,
            file=staging / "decisions.sqlite",
            model_folder=staging / "model",
            seed=seed,
            n_seeds=n_seeds,
            rng=rng,
            say=_say,
        )
        page = _page_or_none(lambda: _render(shop, told, decisions))
    _publish(told.models, page, staging=staging, out=out)
    _say(_tell_files(out, has_report=page is not None))
    return {
        **_figures(shop, told),
        **decisions.figures(),
        "report": str(out / "report.html") if page is not None else None,
    }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Told:
    """What steps 1 to 4 gave."""

    models: story.Models
    comparison: story.Comparison
    households: list[story.Household]
    withdrawal: story.Withdrawal
    is_identical: bool


def _tell_shop(shop: story.Shop, *, staging: Path, seed: int, rng: np.random.Generator) -> _Told:
    _say(telling.tell_events(shop))
    models = story.fit_models(shop, seed=seed, show_progress=sys.stderr.isatty())
    _say(telling.tell_matrix(shop, models))
    comparison = story.compare(shop, models, rng=rng)
    _say(telling.tell_comparison(comparison))
    households = story.meet_households(shop, models, rng=rng)
    _say(["", "3. Three households, and five products that are new to each"])
    for household in households:
        _say(telling.tell_household(household, names=shop.extract.product_names))
    withdrawal = story.withdraw(shop, models, households[0])
    _say(telling.tell_withdrawal(withdrawal, names=shop.extract.product_names))
    models.als.save(staging / "model")
    is_identical = story.is_reloaded_identical(
        shop, models, households, model_folder=staging / "model"
    )
    _say(telling.tell_reload(is_identical=is_identical))
    return _Told(
        models=models,
        comparison=comparison,
        households=households,
        withdrawal=withdrawal,
        is_identical=is_identical,
    )


def _figures(shop: story.Shop, told: _Told) -> dict[str, Any]:
    comparison = told.comparison
    return {
        "events": len(shop.events),
        "customers": len(shop.events.customers),
        "items": len(shop.events.items),
        "dropped": {**shop.events.dropped, **told.models.interactions.provenance.dropped},
        "ndcg10_all": {n: f.ndcg.mean for n, f in comparison.all_products.items()},
        "ndcg10_new": {
            **{n: f.ndcg.mean for n, f in comparison.new_products.items()},
            "low": comparison.als_minus_popularity.low,
            "high": comparison.als_minus_popularity.high,
        },
        "denied_after_withdrawal": told.withdrawal.is_denied,
        "reloaded_identical": told.is_identical,
    }


def _render(shop: story.Shop, told: _Told, decisions: Decisions) -> str:
    return render(
        shop,
        told.models,
        comparison=told.comparison,
        households=told.households,
        withdrawal=told.withdrawal,
        is_identical=told.is_identical,
        decisions=decisions,
    )


def _page_or_none(write: Callable[[], str]) -> str | None:
    try:
        return write()
    except MissingExtraError as error:
        _say([f"   no report.html: {error}"])
        return None


def _check_targets(out: Path) -> None:
    """Refuse to replace what another run of the demo has not left."""
    if (out / _MARKER).exists():
        return
    for name in _TARGETS:
        if (out / name).exists():
            raise InvalidArgumentError(
                f"{out} holds a {name} that the demo did not write; name another folder with --out"
            )


@contextmanager
def _staging(out: Path) -> Iterator[Path]:
    """Give a folder in `out` to work in; it goes afterwards, and so does an `out` left empty."""
    is_new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    staging = out / f".partial-{secrets.token_hex(8)}"
    try:
        staging.mkdir()
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if is_new and not any(out.iterdir()):
            out.rmdir()


def _publish(models: story.Models, page: str | None, *, staging: Path, out: Path) -> None:
    (out / _MARKER).write_text("Left by python -m seg1 demo, which may replace what is here.\n")
    models.als.save(out / "model")
    for name in ("demo-consent.sqlite", "decisions.sqlite"):
        (staging / name).replace(out / name)
    if page is not None:
        (staging / "report.html").write_text(page, encoding="utf-8")
        (staging / "report.html").replace(out / "report.html")


def _tell_files(out: Path, *, has_report: bool) -> Iterator[str]:
    yield ""
    yield "Files"
    if has_report:
        yield f"   {out / 'report.html'}: open it in a browser"
    yield f"   {out / 'model'}: the model of step 4"
    yield f"   {out / 'demo-consent.sqlite'}: the synthetic consent file, with both withdrawals"
    yield f"   {out / 'decisions.sqlite'}: the journal of the decisions; try with plain SQL"
    yield "     select mode, count(*), avg(accepted is not null) from decisions group by mode"


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)
