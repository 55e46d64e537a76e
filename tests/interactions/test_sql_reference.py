"""The builder against plain SQL: what the same rules make of the same rows in sqlite3."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg1 import ConsentNotNeeded, Events, InteractionMatrixBuilder
from seg1._checks import DAY_US
from seg1.errors import NoInteractionsError
from seg1.testing.strategies import KINDS, Columns, events_tables

ANYONE = ConsentNotNeeded("made up")
AT_US = 35 * DAY_US
TRANSFORMS = {"log1p": "ln(1 + value)", "identity": "value", "count": "1.0"}
COMBINE = {
    "sum": "SELECT customer, item, sum(weight) AS weight FROM weighed GROUP BY customer, item",
    "max": "SELECT customer, item, max(weight) AS weight FROM weighed GROUP BY customer, item",
    "last": """
        SELECT customer, item, weight FROM (
            SELECT *, row_number() OVER (
                PARTITION BY customer, item ORDER BY time DESC, number DESC) AS age
            FROM weighed) WHERE age = 1""",
}
BUILDERS = st.builds(
    InteractionMatrixBuilder,
    kind_weights=st.dictionaries(
        st.sampled_from([*KINDS, "unheard of"]), st.sampled_from([0.0, 0.2, 1.0, 3.0])
    ),
    transform=st.sampled_from(["log1p", "identity", "count"]),
    half_life_days=st.sampled_from([None, 0.01, 5.0, 400.0]),
    combine=st.sampled_from(["sum", "max", "last"]),
    compress=st.sampled_from(["none", "log1p"]),
    min_customers_per_item=st.integers(1, 3),
    min_items_per_customer=st.integers(1, 3),
)


def database_of(table: Columns, builder: InteractionMatrixBuilder) -> sqlite3.Connection:
    names = ("customer", "item", "time", "value", "kind")
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE event (number, customer, item, time, value, kind)")
    rows = zip(range(len(table["item"])), *(table[name] for name in names), strict=True)
    database.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", rows)
    database.execute("CREATE TABLE kind_weight (kind, weight)")
    database.executemany("INSERT INTO kind_weight VALUES (?, ?)", builder.kind_weights.items())
    return database


def weigh(database: sqlite3.Connection, builder: InteractionMatrixBuilder) -> None:
    decay = "1.0"
    if builder.half_life_days is not None:
        decay = f"pow(0.5, ({AT_US} - time) / {float(DAY_US)} / {builder.half_life_days!r})"
    database.execute(f"""
        CREATE TABLE weighed AS SELECT * FROM (
            SELECT number, customer, item, time,
                   coalesce(kind_weight.weight, 1.0) * {TRANSFORMS[builder.transform]} * {decay}
                   AS weight
            FROM event LEFT JOIN kind_weight USING (kind)
            WHERE time <= {AT_US} AND value > 0 AND coalesce(kind_weight.weight, 1.0) > 0)
        WHERE weight BETWEEN 1e-12 AND 1e30
    """)


def leave_out_rare(database: sqlite3.Connection, builder: InteractionMatrixBuilder) -> None:
    least = {
        "item": ("customer", builder.min_customers_per_item),
        "customer": ("item", builder.min_items_per_customer),
    }
    n_gone = 1
    while n_gone:
        n_gone = sum(
            database.execute(f"""
                DELETE FROM weighed WHERE {of} IN (
                    SELECT {of} FROM weighed GROUP BY {of} HAVING count(DISTINCT {other}) < {n})
            """).rowcount
            for of, (other, n) in least.items()
        )


@given(table=events_tables(), builder=BUILDERS)
def test_a_matrix_equals_what_sql_makes_of_the_same_rows(
    table: Columns, builder: InteractionMatrixBuilder
) -> None:
    database = database_of(table, builder)
    weigh(database, builder)
    leave_out_rare(database, builder)
    compressed = "ln(1 + weight)" if builder.compress == "log1p" else "weight"
    query = f"SELECT customer, item, {compressed} FROM ({COMBINE[builder.combine]})"
    expected = {(customer, item): weight for customer, item, weight in database.execute(query)}
    database.close()

    events = Events.from_table(table, value="value", kind="kind")
    try:
        built = builder.build(events, consent=ANYONE, at=AT_US)
    except NoInteractionsError:
        assert not expected
        return

    weights = {
        (customer, item): weight
        for customer in built.customers.ids
        for item, weight in built.history_of(customer).items()
    }
    # SQL's ln(1 + v) has few digits where v is tiny: log1p has them all.
    assert weights == pytest.approx(expected, rel=1e-6, abs=1e-13)
