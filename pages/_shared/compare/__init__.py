"""The parts of the Compare page: who leads, runs beside each other, two models person by person, studies."""
