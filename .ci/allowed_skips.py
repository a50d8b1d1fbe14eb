"""A plugin of pytest that turns a skipped test into a failure unless OpenAI's weights or a GPU are missing."""

import pytest


@pytest.hookimpl(wrapper=True)  # changes the report before pytest counts it
def pytest_runtest_logreport(report):
    """Change the outcome of a skipped test."""
    from helpers import NO_GPU, NO_WEIGHTS  # in tests/, which is not on the path yet when plugins are loaded

    if report.skipped and not hasattr(report, "wasxfail"):
        *_, reason = report.longrepr
        if NO_GPU not in reason and NO_WEIGHTS not in reason:
            report.outcome, report.longrepr = "failed", f"{reason}\nThis skip is not allowed in CI."
    return (yield)


pytest_collectreport = pytest_runtest_logreport
