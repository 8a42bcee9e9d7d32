"""What only one notebook needs: its measurements, pictures and exercises."""
