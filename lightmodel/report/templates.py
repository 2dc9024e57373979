"""Load the templates of pages, which share their style sheet, macros and filters."""

from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template

from lightmodel.report import formatting


@cache
def template(name: str, package: str = "lightmodel.report") -> Template:
    """Return a template of a package; it may include those of `lightmodel.report`."""
    folders = dict.fromkeys((package, "lightmodel.report"))
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(folder, ".") for folder in folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    writers = (
        formatting.count, formatting.metric_title, formatting.moment, formatting.number, formatting.p_value,
        formatting.percent, formatting.setting, formatting.one_line, formatting.whole,
    )  # fmt: skip
    environment.filters |= {write.__name__: write for write in writers}
    return environment.get_template(name)
