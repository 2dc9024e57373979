"""The look of the console, which is that of the service's own page, and Streamlit's options."""

from dataclasses import asdict, dataclass
from pathlib import Path

from lightmodel.config import ConsoleSection

_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
_CODE_FONT = 'ui-monospace, "SF Mono", Menlo, Consolas, monospace'


@dataclass(frozen=True)
class Colours:
    """The colours of lightmodel/service/static/page.css, by the names that they have there."""

    page: str
    card: str
    ink: str
    muted: str
    line: str
    edge: str
    one: str
    one_ink: str
    two: str
    two_soft: str
    below: str
    bad: str
    soft: str


LIGHT = Colours(
    page="#f3f5f7",
    card="#ffffff",
    ink="#1d2329",
    muted="#5c6773",
    line="#dfe3e8",
    edge="#8a95a1",
    one="#2458c5",
    one_ink="#ffffff",
    two="#b8500c",
    two_soft="#fcefe4",
    below="#b9c6d8",
    bad="#b3261e",
    soft="#eceff2",
)
DARK = Colours(
    page="#101418",
    card="#181d23",
    ink="#e7eaee",
    muted="#9ba6b2",
    line="#2d343c",
    edge="#74808c",
    one="#7fa9ff",
    one_ink="#0d1626",
    two="#f2a061",
    two_soft="#38271a",
    below="#4a5767",
    bad="#ff9b90",
    soft="#252b32",
)


_STYLES = "".join(
    (Path(__file__).parent / "static" / name).read_text("utf-8")
    for name in ("console.css", "tables.css")
)


def colours_of(mode: str | None) -> Colours:
    """Return the colours of the reader's mode, "light" or "dark"."""
    return DARK if mode == "dark" else LIGHT


def styles(colours: Colours) -> str:
    """Return the styles of what Streamlit has no element for, as an element of HTML."""
    names = (f"--lm-{name.replace('_', '-')}: {value};" for name, value in asdict(colours).items())
    return f"<style>:root {{ {' '.join(names)} }}\n{_STYLES}</style>"


def streamlit_options(settings: ConsoleSection) -> dict[str, bool | int | str | list[str]]:
    """Return the values of Streamlit's options."""
    return {
        "server.headless": True,
        "server.showEmailPrompt": False,
        "server.port": settings.port,
        "server.baseUrlPath": settings.base_path,
        "server.fileWatcherType": "none",
        "server.enableXsrfProtection": True,
        "server.enableCORS": True,
        "server.maxUploadSize": 1,  # MB: files are relayed past Streamlit, which would hold them in memory
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "client.showErrorLinks": False,
        "theme.font": _FONT,
        "theme.headingFont": _FONT,
        "theme.codeFont": _CODE_FONT,
        "theme.baseRadius": "8px",
        "theme.headingFontSizes": ["2.1rem", "1.4rem", "1.1rem"],
        "theme.metricValueFontSize": "1.7rem",
        "theme.paddingTop": "2.5rem",
        "theme.showWidgetBorder": True,
        **_colour_options("light", LIGHT),
        **_colour_options("dark", DARK),
    }


def _colour_options(mode: str, colours: Colours) -> dict[str, str]:
    of_page = {
        "primaryColor": colours.one,
        "backgroundColor": colours.page,
        "secondaryBackgroundColor": colours.card,
        "textColor": colours.ink,
        "linkColor": colours.one,
        "borderColor": colours.line,
        "dataframeBorderColor": colours.line,
        "dataframeHeaderBackgroundColor": colours.page,
        "codeBackgroundColor": colours.card,
        "redColor": colours.bad,
        "orangeColor": colours.two,
        "blueColor": colours.one,
        "grayColor": colours.muted,
    }
    side = {"backgroundColor": colours.card, "secondaryBackgroundColor": colours.page}
    return {
        **{f"theme.{mode}.{name}": value for name, value in of_page.items()},
        **{f"theme.{mode}.sidebar.{name}": value for name, value in side.items()},
    }
