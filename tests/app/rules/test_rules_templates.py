"""Path and message templates."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.outcomes import PlanError
from app.rules.templates import TemplateRefused, check_template, render_path, render_text

VALUES = {"parents": ["001", "001_0010"], "task": "Layout"}


def test_a_template_builds_the_path_of_a_shot() -> None:
    path = render_path("shots/{{ parents | join('/') }}/scene/{{ task | lower }}", VALUES)
    assert path == PurePosixPath("shots/001/001_0010/scene/layout")


@pytest.mark.parametrize(
    "template",
    ["/etc/{{ task }}", "../{{ task }}", "a/../b", "{{ '' }}", "C:/x", "a/con/b"],
)
def test_a_template_that_leaves_the_project_is_refused(template: str) -> None:
    with pytest.raises(PlanError):
        render_path(template, VALUES)


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ parents.append('x') }}",
        "{% for x in range(10**9) %}{% endfor %}",
        "{{ missing }}",
        "{% if %}",
        "{{ 1 // 0 }}",
    ],
)
def test_a_template_cannot_run_anything(template: str) -> None:
    with pytest.raises(TemplateRefused, match="Known names"):
        render_text(template, VALUES)


def test_a_form_can_check_a_template_as_it_is_typed() -> None:
    assert check_template("{{ task }}", VALUES) is None
    assert check_template("{% for one in parents %}{{ one }}/{% endfor %}", VALUES) is None
    unknown, broken = check_template("{{ tsak }}", VALUES), check_template("{{ task", VALUES)
    assert unknown is not None
    assert "tsak" in unknown
    assert broken is not None
    assert "mistake" in broken


@given(st.text(max_size=80))
def test_no_value_of_a_name_leads_out_of_the_root(name: str) -> None:
    try:
        path = render_path("shots/{{ task }}", {"task": name})
    except PlanError:
        return
    assert path.parts[0] == "shots"
    assert ".." not in path.parts
    assert not path.is_absolute()
