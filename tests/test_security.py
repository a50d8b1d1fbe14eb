"""What SECURITY.md promises."""

import re


def test_every_test_that_a_promise_names_exists(repository):
    promises = (repository / "SECURITY.md").read_text(encoding="utf-8").partition("## What is promised")[2]
    promises = promises.partition("## What is not promised")[0]
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (repository / "tests").rglob("test_*.py"))
    existing = set(re.findall(r"^def (test_\w+)\(", tests, re.M))
    named = re.findall(r"`(test_\w+)`", promises)
    assert len(named) > 30 and [name for name in named if name not in existing] == []
    for promise in re.split(r"^- ", promises, flags=re.M)[1:]:
        assert "`test_" in promise, promise
