"""From sections to one HTML file that opens anywhere without a network.

Pictures are data URIs; the Content-Security-Policy allows nothing else, and the page's own style and script by digest;
every piece of text is escaped by the template engine; the numbers behind the pictures stand in a JSON island.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from pipeline.report.blocks import Block, Figure, Note, Section

TEMPLATE = "page.html"


@dataclass(frozen=True)
class Page:
    """One page. `banner` is its first line; `stamp`, when given, is the only thing that differs between equal runs."""

    title: str
    subtitle: str
    banner: str
    synthetic: bool
    sections: list[Section]
    caveats: list[tuple[str, str]]
    provenance: list[tuple[str, str]] = field(default_factory=list)
    stamp: str = ""


def render(page: Page, *, max_mb: float) -> str:
    """The page as HTML of at most `max_mb` megabytes: pictures beyond it are named, last ones first, not shown."""
    left_out: set[str] = set()
    pictures = [block.picture for section in page.sections for block in section.blocks if isinstance(block, Figure)]
    html = _fill(page)
    for picture in reversed(pictures):
        if len(html.encode()) <= max_mb * 1e6:
            break
        left_out.add(picture.name)
        html = _fill(_without(page, left_out, max_mb))
    return html


def island(page: Page) -> str:
    """Numbers of every picture as JSON that cannot end its own script element."""
    figures = [block.picture for section in page.sections for block in section.blocks if isinstance(block, Figure)]
    text = json.dumps({picture.name: picture.numbers for picture in figures}, sort_keys=True, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _without(page: Page, left_out: set[str], max_mb: float) -> Page:
    def shown(block: Block) -> Block:
        if isinstance(block, Figure) and block.picture.name in left_out:
            name = f"figures/{block.picture.name}.png"
            return Note(f"{block.picture.title}: left out to keep this page below {max_mb:g} MB; see {name}.")
        return block

    sections = [Section(part.id, part.heading, [shown(block) for block in part.blocks]) for part in page.sections]
    return Page(**{**vars(page), "sections": sections})


def _fill(page: Page) -> str:
    environment = Environment(
        loader=PackageLoader("pipeline.report", "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = _data_uri
    style, script = _resource("page.css"), _resource("page.js")
    return environment.get_template(TEMPLATE).render(
        page=page,
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        island=Markup(island(page)),
    )


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _resource(name: str) -> str:
    return (files("pipeline.report") / "templates" / name).read_text(encoding="utf-8")


def _data_uri(png: bytes) -> Any:
    return Markup("data:image/png;base64," + base64.b64encode(png).decode())
