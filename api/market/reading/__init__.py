"""Read a folder: each file by a module of its own, whatever is wrong named by its place."""
