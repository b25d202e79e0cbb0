"""Path and text templates: Jinja2 in a sandbox, so that a TD's template cannot run anything.

A path template is written with forward slashes. Its values are made safe before it is rendered, so that only the
template itself separates folders.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import AfterValidator

from app.rules.names import NameRefused, slugify, why_unsafe
from app.rules.outcomes import PlanError

__all__ = ["TemplateRefused", "check_template", "render_path", "render_text", "template_with"]


class TemplateRefused(PlanError):
    """A template that cannot be rendered; the text names the template and the place."""


class _Environment(ImmutableSandboxedEnvironment):
    """Without ``range`` and other globals: a template cannot be made to run for ever."""

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)
        self.globals.clear()
        self.filters["slug"] = slugify


_environment = _Environment()


@lru_cache(maxsize=256)
def _compiled(template: str) -> Template:
    return _environment.from_string(template)


def check_template(template: str, names: Collection[str]) -> str | None:
    """Why a template cannot work with values of these names, or None: what a settings form shows as one types."""
    try:
        unknown = find_undeclared_variables(_environment.parse(template)) - set(names)
    except TemplateError as error:
        return f"the template has a mistake: {error}"
    if unknown:
        return f"the template uses {', '.join(sorted(unknown))}; known are {', '.join(sorted(names))}"
    return None


def template_with(*names: str) -> AfterValidator:
    """Validates a template as it is typed: its syntax, and that it uses only these names."""

    def check(template: str) -> str:
        problem = check_template(template, names)
        if problem is not None:
            raise ValueError(problem)
        return template

    return AfterValidator(check)


def render_text(template: str, values: Mapping[str, Any]) -> str:
    """Render a text template.

    Raises:
        TemplateRefused: a syntax error, an unknown name, or something the sandbox forbids.
    """
    try:
        return _compiled(template).render(**values)
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        known = ", ".join(sorted(values))
        raise TemplateRefused(f"The template {template!r} cannot be used: {error}. Known names: {known}.") from error


def render_path(template: str, values: Mapping[str, Any]) -> PurePosixPath:
    """Render a template to a relative path below a root; empty parts are dropped.

    Raises:
        TemplateRefused: the template does not render, is empty, absolute, or has a part that cannot be a name.
    """
    text = render_text(template, values).strip()
    if text.startswith("/") or (len(text) > 1 and text[1] == ":"):
        raise TemplateRefused(f"The template {template!r} gives {text!r}, which does not lie below the project.")
    parts = [part.strip() for part in text.split("/") if part.strip()]
    if not parts:
        raise TemplateRefused(f"The template {template!r} gives an empty path.")
    for part in parts:
        reason = why_unsafe(part)
        if reason is not None:
            raise NameRefused(f"The template {template!r} gives {text!r}, but {part!r} cannot be a folder: {reason}.")
    return PurePosixPath(*parts)
