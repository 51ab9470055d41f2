"""What keeps a computation from harm: workers that hang or are unlike, endless waiting, open folders, too much work."""
