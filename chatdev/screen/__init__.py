"""What a person sees in the terminal. Screens read journal events and know nothing else of a run."""
