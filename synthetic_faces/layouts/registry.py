"""Registry of layouts by the names that --layout takes."""

from synthetic_faces.layouts import (
    affectnet_2017,
    affectnet_plus,
    base,
    ckplus,
    class_folders,
    fer2013,
    ferplus,
    generic_csv,
    named_images,
    npy_2021,
    rafdb,
    yolo,
)

LAYOUTS: dict[str, base.Layout] = {
    "2017": affectnet_2017.LAYOUT,
    "npy": npy_2021.LAYOUT,
    "affectnetplus": affectnet_plus.LAYOUT,
    "folders": class_folders.NAMED,
    "code_folders": class_folders.NUMBERED,
    "yolo": yolo.LAYOUT,
    "csv": generic_csv.LAYOUT,
    "fer2013": fer2013.LAYOUT,
    "ferplus": ferplus.LAYOUT,
    "rafdb": rafdb.LAYOUT,
    "ckplus": ckplus.LAYOUT,
    "kdef": named_images.KDEF,
    "jaffe": named_images.JAFFE,
    "afew": class_folders.AFEW,
    "caer": class_folders.CAER,
}
