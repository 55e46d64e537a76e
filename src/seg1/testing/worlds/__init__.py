"""Simulated worlds with known truth: what each arm would bring, in every round."""

from seg1.testing.worlds.customers import heterogeneous, homogeneous
from seg1.testing.worlds.retail import delayed, money, near_duplicates, price_ladder, rare, slots
from seg1.testing.worlds.six import breast, digits, drift, linear, logit5, newarm
from seg1.testing.worlds.world import World, regret_share, reward

__all__ = [
    "World",
    "breast",
    "delayed",
    "digits",
    "drift",
    "heterogeneous",
    "homogeneous",
    "linear",
    "logit5",
    "money",
    "near_duplicates",
    "newarm",
    "price_ladder",
    "rare",
    "regret_share",
    "reward",
    "slots",
]
