"""What runs in AWS Lambda, and in the notebooks: no torch in here."""
