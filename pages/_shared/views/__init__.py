"""The parts of the Pre-train page."""
