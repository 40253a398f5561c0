"""Sweep page: the best trial and its command, the table, importances, charts, and a browser."""

import re
import shlex

import pytest

optuna = pytest.importorskip("optuna")

from tests import browser
from trainer.config import run_config
from trainer.tuning import page, report, sweep_charts

FLOAT = optuna.distributions.FloatDistribution
WORDS = ("relu", "tanh")
SPACE = {
    "learning_rate": FLOAT(1e-4, 1e-2, log=True),
    "dropout": FLOAT(0.25, 0.45),
    "activation": optuna.distributions.CategoricalDistribution(WORDS),
}
State = optuna.trial.TrialState


def study_of(*trials):
    """Return a study of (state, score, learning rate, dropout, activation) each."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")
    for number, (state, score, *values) in enumerate(trials):
        study.add_trial(
            optuna.trial.create_trial(
                state=state,
                value=score,
                params=dict(zip(SPACE, values, strict=True)),
                distributions=SPACE,
                intermediate_values={1: 0.1, 2: 0.2} if state == State.COMPLETE else {1: 0.1},
                user_attrs={"folder": f"trial-{number:04d}"},
            )
        )
    return study


@pytest.fixture
def study():
    return study_of(
        (State.COMPLETE, 0.5, 0.001, 0.35, "relu"),
        (State.PRUNED, 0.1, 0.01, 0.45, "tanh"),
        (State.COMPLETE, 0.75, 0.0001, 0.25, "tanh"),
        (State.FAIL, None, 0.01, 0.3, "relu"),
    )


def written(study, folder, **settings):
    """Write the report of a study, and return its page."""
    settings = run_config.make({"epochs": 2, "config_name": "sample", **settings})
    report.write(study, sweep_dir=folder, settings=settings)
    return (folder / "report.html").read_text(encoding="utf-8")


def rows(text):
    table = text[text.index("<thead>") : text.index("</table>")]
    return [
        [re.sub("<.*?>", "", cell) for cell in re.findall(r"<t[dh].*?</t[dh]>", row)]
        for row in re.findall(r"<tr>(.*?)</tr>", table)
    ]


def test_the_table_has_every_trial_and_the_best_comes_first(study, tmp_path):
    text = written(study, tmp_path)
    assert rows(text) == [
        ["trial", "state", "epochs", "accuracy", "learning_rate", "dropout", "activation"],
        ["2", "finished", "2", "0.7500", "0.0001", "0.25", "tanh"],
        ["0", "finished", "2", "0.5000", "0.001", "0.35", "relu"],
        ["1", "pruned", "1", "0.1000", "0.01", "0.45", "tanh"],
        ["3", "failed", "1", "", "0.01", "0.3", "relu"],
    ]
    assert '<a href="trial-0002/log.txt">2</a>' in text
    assert "A trial is pruned when" in text and "A failed trial could not be built" in text
    assert "The table has" not in text


def test_the_best_trial_has_its_settings_and_the_command_that_is_printed(study, tmp_path, capsys):
    text = written(study, tmp_path, holdout_frac=0.1)
    (printed,) = re.findall(r"^train it +(.*)$", capsys.readouterr().out, flags=re.MULTILINE)
    (shown,) = re.findall(r"<pre>(.*?)</pre>", text, flags=re.DOTALL)
    assert shlex.split(shown.replace("\\\n", " ")) == shlex.split(printed)
    assert shown.startswith("python -m trainer.main \\\n  --config_name=sample \\\n  --")
    assert re.findall(r"<dt>(--\w+)</dt><dd>(.*?)</dd>", text) == [
        ("--dropout", "0.25"),
        ("--activation", "tanh"),
        ("--learning_rate", "0.0001"),
    ]
    assert "<span>best accuracy</span><strong>0.7500</strong><span" in text.replace(
        ' class="what"', ""
    )
    assert "accuracy of the best epoch, on 10% of train, held out" in text
    assert "compared on validation itself" not in text


def test_a_sweep_that_chose_on_validation_says_so(study, tmp_path):
    text = written(study, tmp_path)
    assert 'class="warning">The trials were compared on validation itself' in text


def test_of_a_loss_the_page_shows_what_was_measured(tmp_path):
    trials = [(State.COMPLETE, score, 0.001, 0.25, "relu") for score in (-1.5, -1.25, -2.0)]
    text = written(study_of(*trials), tmp_path, select_by="loss")
    assert [row[:4] for row in rows(text)] == [
        ["trial", "state", "epochs", "loss"],
        ["1", "finished", "2", "1.2500"],
        ["0", "finished", "2", "1.5000"],
        ["2", "finished", "2", "2.0000"],
    ]
    assert "What mattered" not in text  # Of three trials.


def test_importances_are_bars_of_their_shares(tmp_path):
    trials = [
        (State.COMPLETE, 0.1 * k, 10 ** (-4 + k / 5), 0.25 + 0.05 * (k % 3), "relu")
        for k in range(10)
    ]
    text = written(study_of(*trials), tmp_path)
    section = text[text.index('id="importances"') : text.index('id="scores"')]
    names = re.findall(r"<span>(\w+)</span>", section)
    shares = [float(each) for each in re.findall(r"<b>([\d.]+)</b>", section)]
    assert names[0] == "learning_rate" and shares[0] > 0.8
    assert sum(shares) == pytest.approx(1, abs=0.02)


def dots(chart):
    found = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', str(chart))
    return [tuple(map(float, each)) for each in found]


def test_dots_stand_where_value_and_score_are(study):
    """The axes go from 0.4875 to 0.7625, and to 5 % beyond the ends of each range."""
    trials = [study.trials[0], study.trials[2]]
    lower, upper = (180 - 170 * share for share in (0.0125 / 0.275, 0.2625 / 0.275))
    stop = 328.0

    def places(name):
        chart = sweep_charts.by_value(trials, name=name, metric="accuracy")
        longest = max(map(len, re.findall(r'text-anchor="end">([\d.]+)<', chart)))
        left = round(26 + 6.7 * longest)  # 26 units for the label, 6.7 for each letter of a tick.
        found = dots(chart)
        assert [y for _, y in found] == pytest.approx([lower, upper], abs=0.1)
        return [(x - left) / (stop - left) for x, _ in found], chart

    # 0.001 is in the middle of 1e-4..1e-2, and 1e-4 at its lower end.
    shares, chart = places("learning_rate")
    assert shares == pytest.approx([0.5, 0.05 / 1.1], abs=0.01)
    assert "learning_rate (logarithmic)" in chart
    assert [each for each in ("0.0001", "0.001", "0.01") if f">{each}<" in chart] == [
        "0.0001",
        "0.001",
        "0.01",
    ]
    shares, _ = places("dropout")
    assert shares == pytest.approx([0.5, 0.05 / 1.1], abs=0.01)
    shares, chart = places("activation")
    assert shares == pytest.approx([0.25, 0.75], abs=0.01)
    assert ">relu<" in chart and ">tanh<" in chart


@pytest.mark.parametrize("scores", [(0.5, 0.25, 0.75), (-1.0, -2.0, -0.5)])
def test_the_best_score_so_far_is_a_line_of_steps(scores):
    trials = [(State.COMPLETE, score, 0.001, 0.25, "relu") for score in scores]
    chart = sweep_charts.history(study_of(*trials).trials, metric="score")
    (line,) = re.findall(r'<polyline points="([^"]*)" fill="none" stroke="#D55E00"', str(chart))[:1]
    heights = [float(point.split(",")[1]) for point in line.split()]
    centres = [y for _, y in dots(chart)]
    by_trial = [centres[0], centres[0], centres[2]]
    assert heights[1::2] == pytest.approx(by_trial, abs=0.1)
    assert heights[2::2] == pytest.approx(by_trial[:-1], abs=0.1)


def test_the_table_of_a_long_sweep_is_cut_off(tmp_path, monkeypatch, study):
    monkeypatch.setattr(page, "MOST_ROWS", 2)
    text = written(study, tmp_path)
    assert len(rows(text)) == 3 and "The table has 2 of 4 trials. trials.csv has all" in text


@pytest.mark.slow
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_in_a_browser_nothing_overflows(tmp_path, chromium, width):
    trials = [
        (State.COMPLETE, 0.1 * k, 10 ** (-4 + k / 5), 0.25 + 0.05 * (k % 3), "relu")
        for k in range(10)
    ]
    written(study_of(*trials, (State.PRUNED, 0.1, 0.01, 0.45, "tanh")), tmp_path)
    browser.show(chromium, tmp_path / page.FILE, width=width)
    assert browser.alarms(chromium) == []
    assert browser.overflowing(chromium) == []
    assert browser.broken_words(chromium) == []
    assert browser.outside_their_drawing(chromium) == []
    assert browser.overlapping(chromium) == []


def test_drawn_faces_are_named_as_such(study, tmp_path):
    assert "Drawn faces" not in written(study, tmp_path)
    study.set_user_attr("data", {"name": "affectnet_faces/sample_x/1.0.0", "fingerprint": "0"})
    text = written(study, tmp_path)
    assert 'class="warning">Drawn faces, not AffectNet: smoke test only.' in text
    assert "affectnet_faces/sample_x/1.0.0" in text
