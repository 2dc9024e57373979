"""The shop's service for whole programs that ask it."""

from tests.serve.conftest import shop, trained_shop

__all__ = ["shop", "trained_shop"]
