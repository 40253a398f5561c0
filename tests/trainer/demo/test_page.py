"""Demo page: its headers, its sentence about the model, and what it says of a defect of ours."""

import json
import types

import pytest

from tests.trainer.demo.conftest import answers, join, named, upload
from trainer import app
from trainer.demo import local_server
from trainer.run import trained_run


@pytest.mark.slow
def test_every_response_has_the_policy_and_is_not_stored(page):
    for answer in (page.client.get("/"), page.client.get("/none"), page.stranger.get("/")):
        assert answer.headers["content-security-policy"] == local_server.POLICY
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"
    assert "It has not been evaluated." in page.client.get("/").text


@pytest.mark.slow
def test_the_page_states_the_accuracy_of_the_model(tmp_path):
    page_lib = pytest.importorskip("trainer.demo.page", reason="gradio is not installed")

    path = tmp_path / "metrics.json"
    numbers = {"accuracy": 0.625, "balanced_accuracy": 0.5, "macro": {"f1": 0.5}, "m_measure": 0.5}
    about = {"num_examples": 4000, "protocol": {"split": "validation"}, "per_class": []}
    path.write_text(json.dumps(numbers | about))
    run = trained_run.Run(model_dir=tmp_path, settings=None, data=None)
    assert page_lib._accuracy(run) == (
        "Its accuracy is 62% on the 4,000 images of its validation split."
    )


def test_the_page_goes_on_after_a_defect_of_ours_and_its_terminal_says_where(capsys):
    received = types.SimpleNamespace(take=lambda path: 1 / 0)
    answer = app.answer("path", received=received, classifier=types.SimpleNamespace())
    assert "a defect of this program, described in its terminal." in str(answer)
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.slow
def test_what_gradio_cannot_answer_ends_one_response_and_is_one_line(page, capfd):
    """A window that it does not know, for which it breaks its response off, and a long name."""
    unknown = page.client.get("/gradio_api/queue/data", params={"session_hash": "unknown"})
    assert "Not Found" in unknown.text
    assert page.client.get("/assets/%1b%5b31m" + "a" * 5_000).status_code == 500
    first, second = capfd.readouterr().err.splitlines()
    begin = "warning       a request was not answered: GET "
    assert first == f"{begin}/gradio_api/queue/data: HTTPException: 404: Not Found"
    assert second.startswith(f"{begin}/assets/\\x1b[31maaa")
    assert "aaa: OSError: [Errno 36] File name too long" in second and len(second) < 300


@pytest.mark.slow
def test_windows_that_are_open_at_once_are_answered_each(page):
    """More of them than keep their last answer in memory."""
    sessions = [f"open{number}" for number in range(9)]
    for session in sessions * 2:
        assert join(page.client, [named(upload(page.client))], session=session).is_success
    assert all(answers(page.client, session=session).count("No face") for session in sessions)
