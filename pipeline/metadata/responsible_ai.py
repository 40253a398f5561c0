"""Responsible AI statements of a version: how its data came about, what was done, what to mind.

Owns the sentences that Croissant's RAI fields and the data set card share.
"""

from pipeline.metadata import version

USE_CASES = "Training and evaluation of classifiers of facial expressions, in research."
LIMITATIONS = (
    "A label is the opinion of annotators, and an expression is no emotion: accuracy is agreement "
    "with annotators, not with what a person felt."
)
SOCIAL_IMPACT = (
    "Systems that infer emotions from faces are, with few exceptions, prohibited at work and in "
    "education, and high-risk elsewhere, by the EU's AI Act (Regulation (EU) 2024/1689)."
)
NOBODY = "There is none: no person is shown."
FACES = (
    "Photographs of recognisable faces, which are personal data, and what they were taken to show."
)
MISSING = (
    "Rows whose image or annotation cannot be used are left out, each with its reason in "
    "rejects.csv; build_report.json counts every row."
)
IMPUTATION = "Nothing is imputed: valence, arousal and landmarks are NaN where the source has none."
MAINTENANCE = (
    "The same input and settings give the same bytes, so that the version can be made again; "
    "SHA256SUMS has the sum of every file."
)


def preprocessing(described: version.Version) -> list[str]:
    """Return what was done to the images."""
    settings = described.settings
    crop = (
        "aligned to a template by its landmarks"
        if settings["align"]
        else "cut as a square around the annotated box, if there is one"
    ) + f", with a margin of {settings['margin_frac']:g} of the box on each side"
    if (like := settings.get("like", "none")) != "none":
        crop = f"cropped as {like} does (--like={like})"
    size = f"{settings['image_size']} x {settings['image_size']} pixels"
    return [
        f"Each face is {crop}, resized to {size}, RGB, and stored as {settings['encoding']}.",
        *(["Rows with contradictory labels are left out."] if settings["clean"] != "none" else []),
        *(["Repeated files are left out of train."] if settings["drop_duplicates"] else []),
    ]


def manipulation(described: version.Version) -> str:
    """Return what was done to the distribution of the examples."""
    balance = described.settings["balance"]
    if balance == "none":
        return "Nothing is cut or repeated: train has the classes in the numbers of the source."
    target = {
        "median": "the median of the class counts",
        "min": "the smallest class",
        "max": "the largest class",
    }.get(balance, f"{balance} images a class")
    return (
        f"train is balanced to {target}: larger classes are cut, rows of smaller ones are repeated "
        "(feature copy; odd copies are mirrored). Other splits are never balanced."
    )


def personal_information(described: version.Version) -> str:
    """Return what the examples tell about persons."""
    return NOBODY if described.about.may_be_shared else FACES
