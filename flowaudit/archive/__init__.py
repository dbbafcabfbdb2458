"""Entries that have left the trail for Parquet files, on a disk or in an object store.

In: ranges of a trail's entries. Out: the same entries, byte for byte, and columns that analyses
read directly. Must always hold: at any moment the trail or the archive has all of a range, and
what an archive says is held against the trail's tiles, never believed.
"""
