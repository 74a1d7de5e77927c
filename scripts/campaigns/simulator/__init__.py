"""The whole service in one process, on a virtual clock, with everything going wrong from a seed."""
