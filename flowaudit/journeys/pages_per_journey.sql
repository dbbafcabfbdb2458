-- How many journeys have how many pages; those without one stand under 0.
SELECT page_count, COUNT(*) AS times
FROM journey
GROUP BY page_count
ORDER BY page_count
