"""What is claimed of the whole, shown on real faces by a command; too long for ordinary tests."""
