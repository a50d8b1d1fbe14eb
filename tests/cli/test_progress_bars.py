from clip_demo.cli.progress_bars import ProgressBars


def test_the_speed_does_not_count_what_was_done_before(capsys):
    with ProgressBars() as bars:
        bars("train features", 20_000, 50_000)
        assert "20000/50000 [00:00<?, ? images/s]" in capsys.readouterr().err
        bars("train features", 20_128, 50_000)
    assert "20128/50000" in capsys.readouterr().err


def test_each_step_has_its_own_bar(capsys):
    with ProgressBars("B") as bars:
        bars("ViT-B/32", 1_000_000, 2_000_000)
        bars("fits of the curve", 0, 3)
        bars("prompts", 0, 5)
    err = capsys.readouterr().err
    assert "1.00M/2.00M" in err and "0/3 [00:00<?, ? fits/s]" in err and "0/5 [00:00<?, ? prompts/s]" in err


def test_a_step_that_runs_again_starts_its_bar_again(capsys):
    with ProgressBars("it") as bars:
        bars("prompts", 100, 100)
        bars("prompts", 50, 200)
    assert "50/200" in capsys.readouterr().err
