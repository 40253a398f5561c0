"""What flags are refused, and what a build may be called."""

import pytest

from pipeline import config
from runtime import errors


def make(**fields):
    return config.JobConfig(**{"input_dir": "in", "data_dir": "out", **fields})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"input_dir": ""}, "--input_dir must name a folder: got nothing"),
        ({"classes": 9}, "--classes must be one of 7, 8, 11: got 9"),
        (
            {"subsets": "auto"},
            "--subsets must be one of manual, automatic, all: got auto; did you mean automatic?",
        ),
        ({"image_size": 8}, "--image_size must be between 16 and 1024: got 8"),
        ({"margin_frac": -0.1}, "--margin_frac must be between 0 and 2: got -0.1"),
        ({"num_shards": -1}, "--num_shards must be between 0 and 99999: got -1"),
        (
            {"like": "ddamfn"},
            "--image_size must be 112 with --like=ddamfn, which sets it (leave it out): got 224",
        ),
        (
            {"like": "resnet"},
            "--like must be one of none, hsemotion, dan, ddamfn, emonet: got resnet; did you "
            "mean emonet?",
        ),
        ({"num_workers": -1}, "--num_workers must be at least 0: got -1"),
        ({"max_reject_frac": 2}, "--max_reject_frac must be between 0 and 1: got 2"),
        ({"config_name": "a/b"}, "--config_name may have letters, digits, _ and - only: got a/b"),
    ],
)
def test_a_value_out_of_range_is_refused_in_one_sentence(fields, message):
    with pytest.raises(errors.UserError) as caught:
        make(**fields)
    assert str(caught.value) == message


@pytest.mark.parametrize("balance", ["sometimes", "0", "-3", "2.5", "4_0", "٤", "9" * 5000])
def test_an_unknown_balance_is_refused_with_the_known_ones(balance):
    with pytest.raises(
        errors.UserError, match=f"--balance must be .*a number of images per class: got {balance}"
    ):
        make(balance=balance)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "affectnet8"),
        ({"classes": 7}, "affectnet7"),
        ({"balance": "none", "classes": 11}, "affectnet11_natural"),
        ({"seed": 5, "num_shards": 9}, "affectnet8"),
        ({"image_size": 64, "config_name": "mine"}, "mine"),
    ],
)
def test_standard_flags_have_a_standard_name(fields, name):
    assert config.named(make(**fields), drawn=False).config_name == name


def test_like_a_peer_sets_the_crop_flags_that_are_not_given():
    given = {"input_dir": "in", "like": "ddamfn"}
    made = config.JobConfig(**config.given_like(given))
    assert (made.image_size, made.margin_frac, made.align) == (112, 0, True)
    assert made.example_settings().geometry == (112, 0, True, "ddamfn")
    assert made.content()["like"] == "ddamfn" and config.standard_name(made) == ""
    assert "like" not in make().content()  # Builds of earlier releases continue.
    assert config.given_like({"seed": 1}) == {"seed": 1}
    with pytest.raises(errors.UserError, match="--image_size must be 112 with --like=ddamfn"):
        config.JobConfig(**config.given_like({**given, "image_size": 224}))


def test_other_flags_need_a_name_of_their_own():
    with pytest.raises(errors.UserError) as caught:
        config.named(make(image_size=112), drawn=False)
    assert str(caught.value) == (
        "affectnet8 stands for one set of flags and image_size=112 is not among them; "
        "give this build a name of its own, such as --config_name=affectnet8_112"
    )


def test_a_standard_name_is_not_given_to_other_flags():
    with pytest.raises(errors.UserError, match="affectnet8 stands for one set of flags"):
        config.named(make(image_size=112, config_name="affectnet8"), drawn=False)


def test_drawn_faces_never_take_the_name_of_real_ones():
    assert config.named(make(image_size=48), drawn=True).config_name == "sample"
    with pytest.raises(errors.UserError, match="a build of the drawn sample is called sample"):
        config.named(make(config_name="affectnet8"), drawn=True)
    with pytest.raises(errors.UserError, match="names that begin with sample are for drawn faces"):
        config.named(make(config_name="sample"), drawn=False)
