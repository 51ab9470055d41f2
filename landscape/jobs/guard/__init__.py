"""What keeps a computation from harm: hung workers, endless waiting, open folders, studies that cannot be computed."""
