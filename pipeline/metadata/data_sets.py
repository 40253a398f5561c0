"""Data sets that builds are made of: their names, authors, licences, and how they came about.

Owns the facts that TFDS's metadata, Croissant and the data set card state. They go by the layout
that was recognised: a file of the same facts beside the data, which its user would fill in, was
rejected, because nobody fills it in and every build would be called AffectNet.
"""

import dataclasses

from affectnet_tfds import features


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSet:
    """What is known of a data set."""

    name: str
    description: str
    license: str
    collection: str
    annotation: str
    biases: str
    homepage: str = ""
    citation: str = ""
    published: str = ""  # year
    may_be_shared: bool = False  # whether images, and crops of them, may be passed on

    @property
    def slug(self) -> str:
        """Return its name in lower case, without blanks."""
        return self.name.lower().replace(" ", "-")


_WEB_BIASES = (
    "Skin colour, gender and age are as unevenly represented as in what was searched for, and "
    "accuracy differs between groups."
)
_POSED = (
    "Expressions were posed in a laboratory: accuracy on them says little about faces elsewhere."
)


def _made_of(name: str, *, what: str = "expression") -> str:
    return (
        f"Face crops from {name} with {what}, in AffectNet's classes. Made by the affectnet_faces "
        f"job from a\ncopy of {name} that its owner obtained under its licence; neither may be "
        "redistributed."
    )


AFFECTNET = DataSet(
    name="AffectNet",
    description=features.DESCRIPTION,
    homepage=features.HOMEPAGE,
    citation=features.CITATION,
    license=features.LICENSE,
    published="2019",
    collection=(
        "Images of faces that three search engines found for 1,250 emotion-related keywords in six "
        "languages (Mollahosseini et al. 2019)."
    ),
    annotation=(
        "Twelve annotators, one for each image: an expression, valence and arousal. On 36,000 "
        "images that were labelled twice, two annotators agreed on 60.7 % of the expressions."
    ),
    biases=_WEB_BIASES,
)

AFFECTNET_PLUS = dataclasses.replace(
    AFFECTNET,
    name="AffectNet+",
    citation=features.PLUS_CITATION,
    published="2024",
    annotation=(
        f"{AFFECTNET.annotation} Soft labels, and the difficulty of an image, are those of "
        "classifiers."
    ),
)

FER2013 = DataSet(
    name="FER2013",
    description=_made_of("FER2013"),
    homepage=(
        "https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-"
        "recognition-challenge"
    ),
    citation="""\
@inproceedings{goodfellow2013challenges,
  title={Challenges in Representation Learning: A Report on Three Machine Learning Contests},
  author={Goodfellow, Ian J. and Erhan, Dumitru and Carrier, Pierre Luc and Courville, Aaron and
    others},
  booktitle={Neural Information Processing (ICONIP)}, year={2013}, pages={117--124},
  doi={10.1007/978-3-642-42051-1_16}
}""",
    license=(
        "FER2013 is given out under the rules of the competition that it was made for; its images "
        "are those of a web search, whose owners gave no licence."
    ),
    published="2013",
    collection=(
        "Images that a search engine found for about 600 combinations of emotion-related keywords "
        "with words on gender, age and ethnicity; faces were found by a detector, and stored as 48 "
        "by 48 gray pixels."
    ),
    annotation=(
        "The keyword is the label; people removed images with a wrong one and corrected crops."
    ),
    biases=_WEB_BIASES,
)

FERPLUS = dataclasses.replace(
    FER2013,
    name="FER+",
    description=_made_of("FER+", what="expression and soft labels"),
    homepage="https://github.com/microsoft/FERPlus",
    citation="""\
@inproceedings{barsoum2016training,
  title={Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label
    Distribution},
  author={Barsoum, Emad and Zhang, Cha and Canton Ferrer, Cristian and Zhang, Zhengyou},
  booktitle={ACM International Conference on Multimodal Interaction (ICMI)}, year={2016},
  doi={10.1145/2993148.2993165}
}""",
    license=f"The labels have the licence of their repository. {FER2013.license}",
    published="2016",
    annotation="Ten crowd workers for each image; their votes are the soft labels.",
)

RAFDB = DataSet(
    name="RAF-DB",
    description=_made_of("RAF-DB"),
    homepage="http://www.whdeng.cn/raf/model1.html",
    citation="""\
@inproceedings{li2017reliable,
  title={Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression Recognition in
    the Wild},
  author={Li, Shan and Deng, Weihong and Du, JunPing},
  booktitle={IEEE Conference on Computer Vision and Pattern Recognition (CVPR)}, year={2017},
  pages={2584--2593}
}""",
    license=(
        "RAF-DB is for non-commercial research, on request to its authors "
        "(http://www.whdeng.cn/raf/model1.html); images may not be passed on."
    ),
    published="2017",
    collection="Photographs of faces that people had put on the web.",
    annotation=(
        "About 40 annotators for each image; the label is their most frequent answer, weighted by "
        "how reliable each of them was (Li et al. 2017)."
    ),
    biases=_WEB_BIASES,
)

CKPLUS = DataSet(
    name="CK+",
    description=_made_of("CK+"),
    homepage="http://www.jeffcohn.net/Resources/",
    citation="""\
@inproceedings{lucey2010extended,
  title={The Extended Cohn-Kanade Dataset (CK+): A Complete Dataset for Action Unit and
    Emotion-Specified Expression},
  author={Lucey, Patrick and Cohn, Jeffrey F. and Kanade, Takeo and Saragih, Jason and Ambadar, Zara
    and Matthews, Iain},
  booktitle={IEEE Conference on Computer Vision and Pattern Recognition Workshops}, year={2010},
  pages={94--101}, doi={10.1109/CVPRW.2010.5543262}
}""",
    license=(
        "CK+ is for research, by an agreement with its authors "
        "(http://www.jeffcohn.net/Resources/); images may not be passed on."
    ),
    published="2010",
    collection="Sequences of 123 subjects in a laboratory, from neutral to the peak of a display.",
    annotation="The expression asked for, where the coded action units confirm it.",
    biases=_POSED,
)

KDEF = DataSet(
    name="KDEF",
    description=_made_of("KDEF"),
    homepage="https://www.kdef.se/",
    citation="""\
@misc{lundqvist1998karolinska,
  title={The Karolinska Directed Emotional Faces - {KDEF}},
  author={Lundqvist, Daniel and Flykt, Anders and {\\"O}hman, Arne},
  howpublished={CD ROM from Department of Clinical Neuroscience, Psychology section, Karolinska
    Institutet}, year={1998}, note={ISBN 91-630-7164-9}
}""",
    license=(
        "KDEF is for non-commercial research, by the terms on its page (https://www.kdef.se/); "
        "images may not be passed on."
    ),
    published="1998",
    collection="Photographs of 70 amateur actors, 35 women and 35 men, from five angles.",
    annotation="The expression that the actor was asked for.",
    biases=f"All actors were between 20 and 30 years old. {_POSED}",
)

JAFFE = DataSet(
    name="JAFFE",
    description=_made_of("JAFFE"),
    homepage="https://zenodo.org/records/3451524",
    citation="""\
@inproceedings{lyons1998coding,
  title={Coding Facial Expressions with Gabor Wavelets},
  author={Lyons, Michael and Akamatsu, Shigeru and Kamachi, Miyuki and Gyoba, Jiro},
  booktitle={IEEE International Conference on Automatic Face and Gesture Recognition}, year={1998},
  pages={200--205}, doi={10.1109/AFGR.1998.670949}
}""",
    license=(
        "JAFFE is for non-commercial research, by the terms on its page "
        "(https://zenodo.org/records/3451524); images may not be passed on."
    ),
    published="1998",
    collection="213 photographs of ten Japanese women, taken by themselves in a laboratory.",
    annotation="The expression that the subject was asked for.",
    biases=f"There are ten subjects, all of them Japanese women. {_POSED}",
)

AFEW = DataSet(
    name="AFEW",
    description=_made_of("AFEW"),
    homepage="https://cs.anu.edu.au/few/AFEW.html",
    citation="""\
@article{dhall2012collecting,
  title={Collecting Large, Richly Annotated Facial-Expression Databases from Movies},
  author={Dhall, Abhinav and Goecke, Roland and Lucey, Simon and Gedeon, Tom},
  journal={IEEE MultiMedia}, volume={19}, number={3}, pages={34--41}, year={2012},
  doi={10.1109/MMUL.2012.26}
}""",
    license=(
        "AFEW is for non-commercial research, by an agreement with its authors "
        "(https://cs.anu.edu.au/few/AFEW.html); images may not be passed on."
    ),
    published="2012",
    collection="Clips of feature films, proposed by a search for words in their subtitles.",
    annotation="Annotators chose among the proposed clips; all frames of a clip have its label.",
    biases="Expressions are those of actors in films, and frames of one video resemble each other.",
)

CAER = DataSet(
    name="CAER-S",
    description=_made_of("CAER-S"),
    homepage="https://caer-dataset.github.io/",
    citation="""\
@inproceedings{lee2019context,
  title={Context-Aware Emotion Recognition Networks},
  author={Lee, Jiyoung and Kim, Seungryong and Kim, Sunok and Park, Jungin and Sohn, Kwanghoon},
  booktitle={IEEE/CVF International Conference on Computer Vision (ICCV)}, year={2019},
  pages={10143--10152}
}""",
    license=(
        "CAER-S is for non-commercial research (https://caer-dataset.github.io/); its frames are "
        "of television series, and may not be passed on."
    ),
    published="2019",
    collection="Frames of clips of television series.",
    annotation="Annotators labelled the clips; frames have their clip's label.",
    biases="Expressions are those of actors in television series.",
)

LISTS = DataSet(
    name="lists of images",
    description=(
        "Face crops with expression from images that lists named (--csv), in AffectNet's classes. "
        "Made by the affectnet_faces\njob from images that their owner obtained; whether they may "
        "be redistributed is the owner's to say."
    ),
    license="That of the images, which the one who gave the lists knows.",
    collection="Not known: the images were named by lists (--csv).",
    annotation="Not known: the labels are those of the lists.",
    biases="Not known: look at the images by the groups of people that matter to your use.",
)

DRAWN = DataSet(
    name="drawn faces",
    description=features.DRAWN_DESCRIPTION,
    license=features.DRAWN_LICENSE,
    published="2026",
    collection="Drawn by a program (python -m pipeline.sample); no photograph is involved.",
    annotation="The expression that the program drew.",
    biases="The drawings show nobody: nothing follows from them about people.",
    may_be_shared=True,
)

_BY_LAYOUT = {
    "affectnetplus": AFFECTNET_PLUS,
    "csv": LISTS,
    "fer2013": FER2013,
    "ferplus": FERPLUS,
    "rafdb": RAFDB,
    "ckplus": CKPLUS,
    "kdef": KDEF,
    "jaffe": JAFFE,
    "afew": AFEW,
    "caer": CAER,
}


def of(layout: str, *, drawn: bool) -> DataSet:
    """Return the data set of a layout (sources.layouts.registry), or the drawn faces in it."""
    return DRAWN if drawn else _BY_LAYOUT.get(layout, AFFECTNET)
