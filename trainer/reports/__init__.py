"""Reports: tables, charts and HTML pages of an evaluation or a comparison."""
