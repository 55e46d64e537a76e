"""Recommend: fit, fold in, rank exactly, and never an item that is not allowed."""

from seg1.recommend import metrics
from seg1.recommend.als import ALS
from seg1.recommend.habits import BuyAgain, BuyAgainModel, Popularity, PopularityModel
from seg1.recommend.itemset import ItemSet
from seg1.recommend.model import ALSModel
from seg1.recommend.result import Explanation, Neighbours, Ranking, Rankings, Why
from seg1.recommend.serving import Recommender

__all__ = [
    "ALS",
    "ALSModel",
    "BuyAgain",
    "BuyAgainModel",
    "Explanation",
    "ItemSet",
    "Neighbours",
    "Popularity",
    "PopularityModel",
    "Ranking",
    "Rankings",
    "Recommender",
    "Why",
    "metrics",
]
