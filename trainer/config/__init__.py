"""Configuration of a run: sections of typed fields, recipes, config.json."""
