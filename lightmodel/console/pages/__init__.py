"""The pages of the console: a module each, listed in `PAGES` in the order of the side bar.

A page is a function that receives the session and draws what is below its title. It raises
ServiceFailure where the service fails: the frame shows that as a sentence. What a page draws in a
fragment (`st.fragment`) must catch it, for the frame does not see it there.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lightmodel.console.pages import configure, models, predict, train, watch
from lightmodel.console.session import ConsoleSession


@dataclass(frozen=True)
class Page:
    """A page: its path in the address, its title, a Material symbol, and what draws it."""

    path: str
    title: str
    icon: str
    render: Callable[[ConsoleSession], None]


PAGES = (
    Page("predict", "Predict", "online_prediction", predict.render),
    Page("models", "Models", "compare_arrows", models.render),
    Page("configure", "Configure", "tune", configure.render),
    Page("train", "Train", "model_training", train.render),
    Page("watch", "Watch", "monitoring", watch.render),
)
