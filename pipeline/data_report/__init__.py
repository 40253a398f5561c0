"""Data report: report.html beside the data, one page on a build and on the fate of every row.

Made from the files that a build writes anyway (build_report.json, rejects.csv, sidecars.json) and a
bounded number of images, so that it takes about a second for a thousand images and for a million.
The same build gives the same bytes.
"""
