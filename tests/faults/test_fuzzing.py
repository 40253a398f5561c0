"""Every parser of what other people wrote, on mutants of good files (fuzzing.py).

A few hundred of each in `make test`, 20 times as many in `make test-faults`.
"""

import pytest

from tests.faults import fuzzing

MUTANTS = 60
MANY_MUTANTS = 5_000

KEPT: list[tuple[str, bytes]] = [
    ("npy", fuzzing.npy_of("{'descr': '<U1', 'fortran_order': False, 'shape': ()}", b"1e93")),
    ("recipe", b"~: 1\n"),
    ("recipe", b"1: 1\n"),
    ("recipe", b"x" * 60_000 + b": 1\n"),
    ("recipe", b"x: 1\n" * 14_000),
    ("flag", b"9" * 198),
    ("flag_file", b"--" + b"x" * 1_200),
    ("flag_file", b"--noalign=96"),
]
"""Mutants that once were faults."""


@pytest.mark.parametrize("target", fuzzing.TARGETS)
def test_no_mutant_of_a_good_file_is_more_than_a_reject_or_a_sentence(target, tmp_path):
    fuzzing.fuzz(target, tmp_path, mutants_tried=MUTANTS)


@pytest.mark.parametrize("target", fuzzing.TARGETS)
def test_the_seeds_are_read(target, tmp_path):
    for seed in fuzzing.SEEDS[target]:
        fuzzing.TARGETS[target](tmp_path, seed)


@pytest.mark.parametrize(("target", "content"), KEPT)
def test_a_mutant_that_once_was_a_fault_is_none(target, content, tmp_path):
    fuzzing.TARGETS[target](tmp_path, content)


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("target", fuzzing.TARGETS)
def test_many_mutants(target, tmp_path, capsys):
    fuzzing.fuzz(target, tmp_path, mutants_tried=MANY_MUTANTS)
    with capsys.disabled():
        print(f"\nfaults        {MANY_MUTANTS} mutants of {target}")
