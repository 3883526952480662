"""The report as one HTML file that asks for nothing from anywhere."""
