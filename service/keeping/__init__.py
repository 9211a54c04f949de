"""What is deleted: for its age, or because somebody wants it gone."""
