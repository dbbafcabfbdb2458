"""AI agents and bots by what they declare."""

import pytest

from flowaudit.policy.families import family_of

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Version/17.0 Mobile/15E148 Safari/604.1"
)


@pytest.mark.parametrize(
    ("user_agent", "family"),
    [
        (FIREFOX, None),
        (SAFARI, None),
        ("", None),
        ("curl/8.1", None),
        ("curl/8", None),
        ("python-requests/2.32", None),
        ("PerplexityBot", "bot"),
        ("PerplexityBot/1.0", "bot"),
        ("Mozilla/5.0 (compatible; PerplexityBot; +https://perplexity.ai/bot)", "bot"),
        ("Googlebot", "bot"),
        ("SeznamHomepageCrawler", "bot"),
        ("Mozilla/5.0 (Linux; Android 14; PerplexityBotanics 5) Chrome/130.0 Mobile", None),
        ("python-requests/2.31", None),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "bot"),
        ("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2)", "bot"),
        ("Mozilla/5.0 (compatible; ClaudeBot/1.0; +claudebot@anthropic.com)", "bot"),
        ("Mozilla/5.0 (compatible; ChatGPT-User/1.0; +https://openai.com/bot)", "agent"),
        ("Mozilla/5.0 (compatible; Claude-User/1.0; +Claude-User@anthropic.com)", "agent"),
        ("Mozilla/5.0 (compatible; Google-Agent; +https://developers.google.com)", "agent"),
        ("Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/120.0.0.0 Safari/537.36", "bot"),
    ],
)
def test_a_user_agents_family(user_agent: str, family: str | None) -> None:
    assert family_of(user_agent) == family


def test_an_app_can_declare_agents_of_its_own() -> None:
    assert family_of("Acme-Assistant/2.0", ["acme-assistant"]) == "agent"
    assert family_of("Acme-Assistant/2.0") is None
