"""Recommend: fit, fold in, rank exactly, and never an item that is not allowed."""

from seg1.recommend import metrics
from seg1.recommend.blend import Blend, BlendModel
from seg1.recommend.chain import FallbackChain
from seg1.recommend.fitting.als import ALS, Sweep
from seg1.recommend.fitting.model import ALSModel
from seg1.recommend.fitting.tuning import Trial, Tuned, tune
from seg1.recommend.fitting.validation import Validation
from seg1.recommend.habits import BuyAgain, BuyAgainModel, Popularity, PopularityModel
from seg1.recommend.ranking.itemset import ItemSet
from seg1.recommend.ranking.result import Explanation, Neighbours, Ranking, Rankings, Why
from seg1.recommend.ranking.serving import Recommender

__all__ = [
    "ALS",
    "ALSModel",
    "Blend",
    "BlendModel",
    "BuyAgain",
    "BuyAgainModel",
    "Explanation",
    "FallbackChain",
    "ItemSet",
    "Neighbours",
    "Popularity",
    "PopularityModel",
    "Ranking",
    "Rankings",
    "Recommender",
    "Sweep",
    "Trial",
    "Tuned",
    "Validation",
    "Why",
    "metrics",
    "tune",
]
