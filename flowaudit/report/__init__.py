"""In: an engine over events, and what verification and review say. Out: `Report`, a page, a text.

`build` gathers every number into one frozen value; `page` makes one HTML file of it that opens
without a network; `text` makes the summary for a terminal. Text that came from clients is never
markup and never a terminal's command.
"""
