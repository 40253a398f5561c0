"""The data report: report.html beside the data, one file that says what is in a build and what
became of every row.

Made from what a build writes anyway (build_report.json, rejects.csv, sidecars.json) and a bounded
number of pictures, so that it costs the same second for a thousand pictures as for a million. The
same build gives the same bytes.
"""
