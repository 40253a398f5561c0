"""Release writer: draws the images in parallel processes and writes them in the chosen layout.

Owns the output folder. Everything is written to a folder beside it, which is renamed at the end, so
that a reader sees a finished sample or none, and a killed run leaves nothing that looks finished.
"""

import concurrent.futures
import dataclasses
import functools
import multiprocessing
import pathlib
import shutil
from collections.abc import Iterable

import cv2

from runtime import signals
from synthetic_faces import settings as settings_lib
from synthetic_faces.examples import dataset_rows, scenes
from synthetic_faces.layouts import base, registry

_CHUNK = 16
_README = (
    "These are drawings, not AffectNet.\n"
    "\n"
    "AffectNet may not be redistributed, so its place is taken here by faces drawn with "
    "`python -m pipeline.sample`, in the\n"
    "folders and lists of one of its releases ({layout}: {summary}).\n"
    "Nothing learned or measured on them says anything about photographs. "
    "drawn_sample.json says how to draw them again.\n"
)


def make(settings: settings_lib.Settings, *, num_workers: int) -> list[scenes.Annotation]:
    """Draw a sample, replacing one that is there, and return its annotations by row index."""
    staging = _clean_staging(settings.output_dir)
    try:
        settings_lib.write_marker(staging, settings)
        annotations = _write(staging, settings, num_workers=num_workers)
    except BaseException:  # A disk that is full needs the space.
        shutil.rmtree(staging, ignore_errors=True)
        raise
    if settings.output_dir.exists():
        shutil.rmtree(settings.output_dir)
    staging.rename(settings.output_dir)
    return annotations


def check_target(settings: settings_lib.Settings, *, overwrite: bool) -> bool:
    """Tell whether there is anything to draw: not if this very sample is already there.

    Raises:
      settings_lib.SettingsError: if the folder holds something that may not be replaced.
    """
    folder = settings.output_dir
    if folder.exists() and not folder.is_dir():
        raise settings_lib.SettingsError(f"--output_dir={folder} is a file; name a folder.")
    if not folder.exists() or not any(folder.iterdir()):
        return True
    marker = settings_lib.read_marker(folder)
    if marker is None:
        raise settings_lib.SettingsError(
            f"--output_dir={folder} is not empty and holds no drawn sample; "
            "name an empty or a new folder."
        )
    if overwrite or marker == settings.marker():
        return overwrite
    raise settings_lib.SettingsError(
        f"--output_dir={folder} holds another drawn sample ({_differences(marker, settings)}); "
        "name another folder, or replace that one with --overwrite."
    )


def _clean_staging(output_dir: pathlib.Path) -> pathlib.Path:
    """Return an empty folder beside the wanted one, without the remains of a killed run."""
    staging = output_dir.with_name(output_dir.name + ".drawing")
    if staging.exists() and settings_lib.read_marker(staging) is None:
        raise settings_lib.SettingsError(
            f"{staging} is in the way and is no half-drawn sample; move it elsewhere."
        )
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    return staging


def _differences(marker: dict[str, object], settings: settings_lib.Settings) -> str:
    wanted, there = ({"ambiguous_frac": 0, **each} for each in (settings.marker(), marker))
    return ", ".join(
        f"{key} {there.get(key)}, not {wanted[key]}"
        for key in wanted
        if there.get(key) != wanted[key]
    )


def _write(
    root: pathlib.Path, settings: settings_lib.Settings, *, num_workers: int
) -> list[scenes.Annotation]:
    layout = registry.LAYOUTS[settings.layout]
    jobs = list(
        _jobs(
            root,
            layout,
            dataset_rows.rows(
                num_images=settings.num_images,
                seed=settings.seed,
                ambiguous_frac=settings.ambiguous_frac,
            ),
        )
    )
    for folder in sorted({job.path.parent for job in jobs}):
        folder.mkdir(parents=True, exist_ok=True)
    annotations = _draw_all(jobs, seed=settings.seed, num_workers=num_workers)
    layout.write_lists(root, annotations)
    readme = _README.format(layout=settings.layout, summary=layout.summary)
    (root / "README.txt").write_text(readme, encoding="utf-8")
    return annotations


@dataclasses.dataclass(frozen=True)
class _Job:
    row: dataset_rows.Row
    path: pathlib.Path


def _jobs(
    root: pathlib.Path, layout: base.Layout, rows: Iterable[dataset_rows.Row]
) -> Iterable[_Job]:
    for row in rows:
        path = layout.image_path(row)
        if path is not None:
            yield _Job(row, root / path)


def _draw_all(jobs: list[_Job], *, seed: int, num_workers: int) -> list[scenes.Annotation]:
    draw = functools.partial(_draw_one, seed=seed)
    if num_workers == 1:
        return [draw(job) for job in jobs]
    # Spawned, not forked: a fork would copy the locks of whatever threads the caller runs.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        num_workers, mp_context=context, initializer=_prepare_worker
    ) as pool:
        return list(pool.map(draw, jobs, chunksize=_CHUNK))


def _draw_one(job: _Job, *, seed: int) -> scenes.Annotation:
    encoded, annotation = scenes.draw(job.row, seed=seed)
    job.path.write_bytes(encoded)
    return annotation


def _prepare_worker() -> None:
    signals.end_with_parent()
    cv2.setNumThreads(1)
