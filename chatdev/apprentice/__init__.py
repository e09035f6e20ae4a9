"""The apprentice: the small bundled model, its curriculum, its training and its weights."""
