"""Threads, processes, machines and devices."""
