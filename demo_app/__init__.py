"""The demo: a small clinic portal, a simulated week of people and attackers, and the report on it.

`python -m demo_app` serves the portal over real HTTP with flowaudit in front, drives it, and then
reads its trail. What comes out: `demo-output/clinic.db` and `demo-output/flow-report.html`.
"""
