import numpy as np
import pytest
import tensorflow as tf

from trainer.run import context
from trainer.training import lr_finder, setup


def test_the_suggestion_is_a_tenth_of_the_learning_rate_where_the_loss_turns():
    tried = np.logspace(-6, 1, 141)
    losses = (
        2 - 0.2 * np.minimum(np.log10(tried) + 6, 4) + 40 * np.maximum(np.log10(tried) + 2, 0)
    )  # Turns at 1e-2.
    result = lr_finder.evaluate(tried, losses)
    assert result.best == pytest.approx(1e-2, rel=0.15)
    assert result.suggestion == pytest.approx(1e-3, rel=0.15)
    assert result.losses.max() < 3 * result.losses.min() and len(result.learning_rates) < 70 + 40


def test_a_loss_that_is_no_number_ends_the_test():
    result = lr_finder.evaluate(np.logspace(-3, 0, 4), np.array([2.0, 1.0, np.nan, 0.1]))
    assert result.learning_rates.tolist() == pytest.approx([1e-3, 1e-2])
    assert result.losses[0] == 2.0


def test_learning_rates_rise_by_equal_factors():
    low, middle, high = (float(lr_finder.rising(tf.constant(step))) for step in (0, 69.5, 139))
    assert (low, middle, high) == (
        pytest.approx(1e-6),
        pytest.approx(10**-2.5, rel=1e-4),
        pytest.approx(10, rel=1e-4),
    )


def test_the_test_trains_at_rising_learning_rates_prints_a_suggestion_and_draws(
    make_ctx, tmp_path, capsys
):
    ctx = make_ctx(model_dir=str(tmp_path / "run"), epochs=1)
    lr_finder.run(setup.model(ctx), ctx=ctx, train=context.read_split(ctx, split="train"))
    output = capsys.readouterr().out
    assert "suggestion    --learning_rate=" in output and "the loss is lowest at" in output
    assert output.endswith(f"chart         {tmp_path}/run/learning_rate.png\n")
    assert (tmp_path / "run/learning_rate.png").stat().st_size > 10_000
    assert not (tmp_path / "run/config.json").exists()
