"""Survey files: the counts of each part of a stage, in the staging folder, and their sum.

Workers write them and the submitting program adds them up. Adding them up in the pipeline was
rejected: rejects and duplicates of all rows would be one record there.
"""

from pipeline.files import atomic, storage
from pipeline.rows import row_index, survey


def write(staging: storage.AnyPath, stage: str, number: int, counts: survey.Survey) -> None:
    """Write the counts of a part."""
    atomic.write_text(row_index.survey_file(staging, stage, number), counts.to_json())


def total(staging: storage.AnyPath, *stages: str) -> survey.Survey:
    """Return the sum of what the parts of stages counted, in an order that depends on it only."""
    added = survey.Survey()
    files = [file for stage in stages for file in row_index.survey_files(staging, stage)]
    threads = storage.read_threads(staging, on_disk=1)
    for content in storage.ahead(storage.content, files, threads=threads):
        added.merge(survey.Survey.from_json(content.decode()))
    return added.in_order()
