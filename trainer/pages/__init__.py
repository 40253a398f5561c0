"""The pages for people: one of a model's judgement, one of several runs side by side. Layout, never a number."""
