from models.scaleout.demo.question import nearest, question_of, rows_of, usual_rows
from models.scaleout.demo.under_way import half_of, sentence
from models.scaleout.traces import carried

GBT = [run for run in carried() if run.context.algorithm == "gbt"]


def test_the_question_is_in_the_words_of_the_runs() -> None:
    question = question_of(carried(), "gbt", 200_000)
    assert (question["data_size_mb"], question["arguments"][0]) == (16.0, "200000")
    assert (question["min_scale_out"], question["max_scale_out"]) == (1, 4)
    assert question["machine"] in {run.context.machine for run in GBT}


def test_without_rows_an_input_that_was_run_is_asked_about() -> None:
    question = question_of(carried(), "gbt")
    assert int(question["arguments"][0]) == usual_rows(GBT)
    assert usual_rows(GBT) in {rows_of(run) for run in GBT}


def test_without_a_target_half_of_the_runs_of_the_nearest_size_would_meet_it() -> None:
    for rows in (1000, 10**9):
        question = question_of(carried(), "gbt", rows)
        times = [run.runtime_s for run in nearest(GBT, rows) if run.runtime_s is not None]
        met = sum(seconds <= question["target_s"] + 0.1 for seconds in times)
        assert len(times) / 2 <= met < len(times)
    assert question_of(carried(), "gbt", target_s=7.0)["target_s"] == 7.0


def test_a_run_that_is_played_again_stops_in_its_middle() -> None:
    question = question_of(carried(), "gbt")
    run = half_of(carried(), question, "again")
    assert run is not None
    (whole,) = [one for one in GBT if one.jobs[0] == run.jobs[0]]
    assert len(run.jobs) == len(whole.jobs) // 2
    assert (run.execution_id, run.end_s, run.target_s) == ("again", None, question["target_s"])


def test_what_is_planned_is_told_in_words() -> None:
    run = half_of(carried(), question_of(carried(), "gbt", target_s=60), "again")
    assert run is not None
    told = sentence(run, {"scale_out": 3, "probability": 0.9, "why": "it is cheap", "model": "graph"})
    assert "it gets 3 executors, done in 60 s with a probability of 90%. (it is cheap; graph)" in told
    assert "it keeps them, done" in sentence(run, {"scale_out": 1, "probability": 0.5, "why": "", "model": ""})


def test_the_run_that_is_played_again_had_about_the_executors_that_were_recommended() -> None:
    run = half_of(carried(), question_of(carried(), "gbt"), "again", executors=4)
    assert run is not None
    assert run.start_scale_out == 4
