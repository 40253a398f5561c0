"""A drawn person: anatomy, expression as facial action units, head pose and appearance."""
