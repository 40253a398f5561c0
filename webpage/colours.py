"""Colour palette of all pages, distinguishable with any form of colour blindness.

Okabe and Ito 2008, "Color Universal Design", https://jfly.uni-koeln.de/color/. Yellow comes last
and is drawn with an outline, since it is hard to see on white; no chart distinguishes things by
colour alone. On dark paper style.css draws BLACK as white.
"""

BLUE = "#0072B2"
VERMILION = "#D55E00"
GREEN = "#009E73"
PINK = "#CC79A7"
SKY = "#56B4E9"
ORANGE = "#E69F00"
BLACK = "#000000"
YELLOW = "#F0E442"

SERIES = (BLUE, ORANGE, GREEN, PINK, SKY, VERMILION, BLACK, YELLOW, "#999999", "#666666", "#CCCCCC")
"""Colours by index: the eight, then grays."""
