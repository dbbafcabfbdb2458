"""Faults done to a trail and to whatever writes it, in counted numbers: `make faults`.

Each kind is a module with a function `run(scale) -> list[Figure]`; the tests under
`tests/faults/` call the same functions with a tenth of the numbers.
"""
