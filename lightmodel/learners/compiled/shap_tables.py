"""Derive from trees what shap.c needs: shares of training rows, and points of quadrature."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

SHARE = np.dtype("f8,f8,i4,i4")
SHARE.names = ("left", "above", "before", "unused")
RULE = np.dtype("i4,i4")
RULE.names = ("start", "count")
POINT = np.dtype("f8,f8")
POINT.names = ("known", "weight")


@dataclass(frozen=True)
class TreeShares:
    """How the training rows are spread over one tree.

    Attributes:
        shares: (nodes,) of SHARE; see trees.h.
        widest: the most distinct features on a path from the root to a leaf.
        expected: the mean leaf value over the training rows.
    """

    shares: npt.NDArray[Any]
    widest: int
    expected: float


def tree_shares(
    nodes: npt.NDArray[Any],
    leaves: npt.NDArray[Any],
    node_counts: Sequence[int],
    leaf_counts: Sequence[int],
) -> TreeShares | None:
    """Return the shares of a tree; None if its counts of training rows do not add up.

    Args:
        nodes: (nodes,) of NODE, parents before children.
        leaves: (leaves,) values.
        node_counts: the number of training rows at each node.
        leaf_counts: the same of each leaf.
    """
    if not len(nodes):
        return TreeShares(np.empty(0, SHARE), 0, float(leaves[0]))
    children = nodes[["left", "right"]].tolist()
    counts = (
        [
            tuple(node_counts[child] if child >= 0 else leaf_counts[~child] for child in pair)
            for pair in children
        ]
        if len(node_counts) == len(nodes) and len(leaf_counts) == len(leaves)
        else []
    )
    if [sum(pair) for pair in counts] != list(node_counts) or min(leaf_counts, default=0) < 1:
        return None
    shares, widest = np.zeros(len(nodes), SHARE), 0
    met: list[dict[int, tuple[int, float]]] = [{} for _ in nodes]  # by feature: before, above
    for at, feature in enumerate(nodes["feature"].tolist()):
        before, above = met[at].get(feature, (-1, 1.0))
        shares[at] = (counts[at][0] / node_counts[at], above, before, 0)
        for side, child in enumerate(children[at]):
            share = above * counts[at][side] / node_counts[at]
            below = {**met[at], feature: (2 * at + side, share)}
            widest = max(widest, len(below))
            if child >= 0:
                met[child] = below
    expected = float(np.dot(leaf_counts, leaves) / node_counts[0])
    return TreeShares(shares, widest, expected)


def shap_tables(trees: Iterable[TreeShares | None], classes: int) -> dict[str, npt.NDArray[Any]]:
    """Return the tables of all trees; empty ones if a tree has no shares.

    Args:
        trees: in the model's order, in which the classes take turns.
        classes: the number of raw scores of the model.
    """
    known = list(trees)
    whole = [tree for tree in known if tree is not None]
    if len(whole) < len(known):
        whole, classes = [], 0
    counts = [-(-tree.widest // 2) for tree in whole]
    rules, points, start = {0: (0, 0)}, [np.empty(0, POINT)], 0
    for count in sorted(set(counts) - {0}):
        rules[count] = (start, count)
        points.append(_gauss_legendre(count))
        start += count
    expected = [sum(tree.expected for tree in whole[at::classes]) for at in range(classes)]
    return {
        "shares": np.concatenate([np.empty(0, SHARE), *(tree.shares for tree in whole)]),
        "rules": np.array([rules[count] for count in counts], RULE),
        "points": np.concatenate(points),
        "expected": np.array(expected, "f8"),
    }


def _gauss_legendre(count: int) -> npt.NDArray[Any]:
    """Return the rule of that many points on [0, 1]: exact for polynomials below degree 2 * count."""
    points = np.zeros(count, POINT)
    places, weights = np.polynomial.legendre.leggauss(count)
    points["known"], points["weight"] = (places + 1) / 2, weights / 2
    return points
