import pytest

from trainer.config import run_config
from trainer.tuning import search_space


class Lowest:
    """Choose the first of everything."""

    def suggest_int(self, name, low, high, *, step=1, log=False):
        return low

    def suggest_float(self, name, low, high, *, step=None, log=False):
        return low

    def suggest_categorical(self, name, choices):
        return choices[0]


@pytest.mark.parametrize("chooser", [Lowest(), search_space.Last()])
def test_every_choice_is_a_valid_setting(chooser):
    for name in search_space.CHOICES:
        run_config.make(search_space.choose(chooser, names=[name]))


def test_filters_double_from_block_to_block_up_to_512():
    assert search_space.choose(Lowest(), names=["blocks", "dense"]) == {
        "conv_filters": (32, 64),
        "dense_units": (64, 64),
    }
    assert search_space.choose(search_space.Last(), names=["blocks"]) == {
        "conv_filters": (128, 256, 512, 512)
    }


def test_only_what_is_named_is_chosen():
    assert search_space.choose(Lowest(), names=["dropout"]) == {"dropout": 0.25}


def test_settings_are_the_same_as_lists_and_tuples_and_up_to_the_last_digits_of_floats():
    suggested = {"label_smoothing": 3 * 0.05, "conv_filters": [32, 64]}
    assert suggested["label_smoothing"] != 0.15
    same = {"conv_filters": (32, 64), "label_smoothing": 0.15}
    assert search_space.key(suggested) == search_space.key(same)
    for other in ({"label_smoothing": 0.2}, {"conv_filters": (32, 128)}, {"batch_norm": True}):
        assert search_space.key({**same, **other}) != search_space.key(same)
