"""One customer asked alone equals the check of many, over random policies with failing leaves."""

import logging

from consent_leaves import (
    AT,
    LEAVES,
    PURPOSES,
    WHO,
    AlsoOne,
    Broken,
    BrokenOne,
    ByQuestion,
    Tree,
    build,
    rules,
    trees,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from seg1._types import Id
from seg1.consent import (
    STAGES,
    Ask,
    Consent,
    Customers,
)


@given(policy=rules, vetoes=st.lists(trees, max_size=2), shared=trees)
@settings(max_examples=120, deadline=None)
def test_one_customer_asked_alone_equals_the_check_of_many(
    policy: dict[tuple[str, str], Tree], vetoes: list[Tree], shared: Tree
) -> None:
    logging.disable()
    same = build(shared)
    consent = Consent(
        {("ads", "train"): same, ("offers", "train"): same, ("offers", "decide"): same}
        | {key: build(tree) for key, tree in policy.items()},
        vetoes=[build(tree) for tree in vetoes],
    )

    permits = [consent.ask(who, AT) for who in WHO]

    for stage in STAGES:
        answers = consent.check(Customers.of(*WHO), stage=stage, at_us=AT)
        for place, permit in enumerate(permits):
            verdict = answers.one(place)
            assert (permit.allows(stage), permit.reason(stage)) == (
                verdict.allowed, verdict.reason,
            )  # fmt: skip
    logging.disable(logging.NOTSET)


def decided(tree: Tree, vetoes: list[Tree]) -> list[bool]:
    consent = Consent({("offers", "decide"): build(tree)}, vetoes=map(build, vetoes))
    return [consent.ask(who, AT).allows("decide") for who in WHO]


@given(tree=trees, vetoes=st.lists(trees, max_size=2), veto=trees)
@settings(max_examples=60, deadline=None)
def test_another_member_of_all_of_or_another_veto_never_opens_anything(
    tree: Tree, vetoes: list[Tree], veto: Tree
) -> None:
    before = decided(tree, vetoes)

    for after in (decided(tree, [*vetoes, veto]), decided(("all_of", [tree, veto]), vetoes)):
        assert not any(new and not old for old, new in zip(before, after, strict=True))


@given(tree=trees)
@settings(max_examples=40, deadline=None)
def test_where_every_leaf_fails_nothing_is_allowed(tree: Tree) -> None:
    def failing(tree: Tree) -> Tree:
        word, parts = tree
        broken = ("leaf", (LEAVES.index(Broken), 0))
        return broken if word == "leaf" else (word, [failing(part) for part in parts])

    assert not any(decided(failing(tree), []))


plain_leaves = st.tuples(
    st.sampled_from([LEAVES.index(of) for of in (ByQuestion, AlsoOne, Broken, BrokenOne)]),
    st.integers(0, 20),
)
plain_trees: st.SearchStrategy[Tree] = st.recursive(
    plain_leaves.map(lambda leaf: ("leaf", leaf)),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["all_of", "any_of"]), st.lists(inner, min_size=1, max_size=3)),
        st.tuples(st.just("not_"), st.lists(inner, min_size=1, max_size=1)),
    ),
    max_leaves=6,
)


def slow(tree: Tree, who: Id, ask: Ask) -> int:
    """Strong Kleene logic, one customer at a time; a failing leaf is unknown."""
    word, parts = tree
    if word == "leaf":
        leaf = LEAVES[parts[0]](parts[1])
        return 0 if isinstance(leaf, Broken) else leaf.value(who, ask)
    inner = [slow(part, who, ask) for part in parts]
    return -inner[0] if word == "not_" else min(inner) if word == "all_of" else max(inner)


@given(
    trees=st.lists(plain_trees, min_size=1, max_size=2), vetoes=st.lists(plain_trees, max_size=2)
)
@settings(max_examples=80, deadline=None)
def test_a_policy_equals_kleene_logic_with_vetoes_after_it(
    trees: list[Tree], vetoes: list[Tree]
) -> None:
    rules = list(zip(PURPOSES, trees, strict=False))
    consent = Consent(
        {(purpose, "log"): build(tree) for purpose, tree in rules}, vetoes=map(build, vetoes)
    )

    answer = consent.check(Customers.of(*WHO), stage="log", at_us=AT)

    for who, value in zip(WHO, answer.values.tolist(), strict=True):
        asked = [(Ask(purpose, "log", AT), tree) for purpose, tree in rules]
        lowest = [slow(tree, who, ask) for ask, tree in asked]
        lowest += [slow(veto, who, ask) for ask, _ in asked for veto in vetoes]
        assert value == min(lowest)
        assert consent.ask(who, AT).allows("log") == (value == 1)


@given(tree=trees, vetoes=st.lists(trees, max_size=1), order=st.permutations(range(9)))
@settings(max_examples=40, deadline=None)
def test_order_splitting_and_repetition_of_customers_change_nothing(
    tree: Tree, vetoes: list[Tree], order: list[int]
) -> None:
    consent = Consent({("offers", "decide"): build(tree)}, vetoes=map(build, vetoes))
    asked = [WHO[place % 3] for place in order]

    def values(of: list[Id]) -> list[int]:
        answer = consent.check(Customers.of(*of), stage="decide", at_us=AT)
        found: list[int] = answer.values.tolist()
        return found

    one_by_one = {who: values([who])[0] for who in WHO}

    assert values(asked) == [one_by_one[who] for who in asked]
    assert values(asked[:4]) + values(asked[4:]) == values(asked)
