"""Face model of a drawn person: anatomy, facial action units, head pose and appearance."""
