"""Registry of layouts by the names that --layout takes."""

from synthetic_faces.layouts import (
    affectnet_2017,
    affectnet_plus,
    base,
    class_folders,
    generic_csv,
    npy_2021,
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
}
