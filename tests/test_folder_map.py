"""The folder map of docs/design.md names every package, with what its docstring says now."""

import pytest

from docs import folder_map


def test_the_map_is_up_to_date():
    page = folder_map.PAGE.read_text(encoding="utf-8")
    assert page == folder_map.updated(page), "python -m docs.folder_map writes it anew"


def test_it_has_a_row_for_every_package():
    rows = folder_map.table().splitlines()
    for path in ("runtime", "pipeline/sources", "trainer/training", "synthetic_faces", "tests"):
        assert sum(row.startswith(f"| `{path}/` | ") for row in rows) == 1
    assert not any("tests/pipeline" in row for row in rows)


def test_a_docstring_that_changes_changes_the_map(tmp_path, monkeypatch):
    (tmp_path / "lorry").mkdir()
    (tmp_path / "lorry/__init__.py").write_text(
        '"""Wheels, and\nan engine. Owns both.\n\nMore."""\n'
    )
    monkeypatch.setattr(folder_map, "ROOT", tmp_path)
    page = f"above\n{folder_map.BEGIN}\nstale\n{folder_map.END}\nbelow\n"
    assert "stale" not in folder_map.updated(page)
    assert "\n| `lorry/` | Wheels, and an engine |\n" in folder_map.updated(page)
    assert folder_map.updated(page).startswith("above\n") and "below" in folder_map.updated(page)


def test_a_package_without_a_docstring_is_refused(tmp_path):
    (tmp_path / "__init__.py").write_text("")
    with pytest.raises(ValueError, match="needs a docstring"):
        folder_map.summary(tmp_path)
