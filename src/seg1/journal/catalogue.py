"""What a journal says of the arms that its decisions refer to: JSON, and the arms again from it."""

import json
from collections.abc import Sequence
from typing import Any

from seg1.errors import DamagedError
from seg1.offers import Arms, Goal, Offer

__all__ = ["arms_of_body", "body_of_arms", "features_of_body", "schema_of_body"]

_FIELDS = ("id", "items", "cost", "prices", "slots", "worth", "features", "group")


def body_of_arms(arms: Arms, *, goal: Goal, features: Sequence[str] = (), schema: str = "") -> str:
    """Write offers, goal, and names of features and schema as JSON; not who may see an offer.

    Examples
    --------
    >>> goal = Goal.response()
    >>> arms = Arms.of([Offer("tea")], goal=goal)
    >>> again, goal_again = arms_of_body(body_of_arms(arms, goal=goal))
    >>> again.arms == arms.arms, goal_again == goal
    (True, True)
    """
    offers = [{name: getattr(offer, name) for name in _FIELDS} for offer in arms.offers]
    told = {"offers": offers, "goal": _told(goal), "no_offer": arms.has_no_offer}
    told |= {"features": list(features), "schema": schema}
    return json.dumps(told, sort_keys=True)


def features_of_body(body: str) -> tuple[str, ...]:
    """Give the names of the features, in the order of the vectors.

    Raises
    ------
    DamagedError
        Where it is something else than `body_of_arms` wrote.
    """
    try:
        return tuple(str(name) for name in json.loads(body).get("features", ()))
    except (AttributeError, TypeError, ValueError) as error:
        raise _damaged() from error


def schema_of_body(body: str) -> str:
    """Give the version of the schema that encoded contexts; empty where none was written down.

    Raises
    ------
    DamagedError
        Where it is something else than `body_of_arms` wrote.
    """
    try:
        return str(json.loads(body).get("schema", ""))
    except (AttributeError, TypeError, ValueError) as error:
        raise _damaged() from error


def arms_of_body(body: str) -> tuple[Arms, Goal]:
    """Rebuild the arms and the goal from what `body_of_arms` wrote.

    Raises
    ------
    DamagedError
        Where it is something else.
    """
    try:
        told = json.loads(body)
        goal = Goal(**told["goal"])
        offers = [Offer(offer.pop("id"), **offer) for offer in told["offers"]]
        return Arms.of(offers, goal=goal, no_offer=told["no_offer"]), goal
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged() from error


def _damaged() -> DamagedError:
    return DamagedError("the journal's catalogue does not have its form")


def _told(goal: Goal) -> dict[str, Any]:  # Any: JSON
    return {name: getattr(goal, name) for name in goal.__dataclass_fields__}
