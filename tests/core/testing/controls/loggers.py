import json

from offline_trainer_core.testing import LoggerContract


class Lines:
    def open(self, run, resume_step):
        self.path = run.dir / "lines.jsonl"
        kept = self.keep(read(self.path), resume_step) if resume_step is not None else []
        self.path.write_text("".join(json.dumps(row) + "\n" for row in kept))

    def keep(self, rows, step):
        return [row for row in rows if row[0] <= step]

    def log_metrics(self, metrics, *, step, stage):
        with self.path.open("a") as file:
            for name, value in metrics.items():
                self.line(file, [step, stage, name, value])

    def line(self, file, row):
        file.write(json.dumps(row) + "\n")


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class TestSound(LoggerContract):
    breaks = ()
    make = Lines

    def read(self, run):
        return read(run.dir / "lines.jsonl")


class Stageless(Lines):
    def line(self, file, row):
        super().line(file, [row[0], "train", *row[2:]])


class TestStageless(TestSound):
    breaks = ("test_what_is_logged_can_be_read_back", "test_a_resumed_run_may_log_what_is_new")
    make = Stageless


class Strict(Lines):
    def line(self, file, row):
        file.write(json.dumps(row, allow_nan=False) + "\n")


class TestStrict(TestSound):
    breaks = ("test_infinity_and_nan_can_be_logged",)
    make = Strict


class Appending(Lines):
    def keep(self, rows, step):
        return rows


class TestAppending(TestSound):
    breaks = ("test_a_resumed_run_drops_what_came_after_its_checkpoint",)
    make = Appending


class Overwriting(Lines):
    def keep(self, rows, step):
        return []


class TestOverwriting(TestSound):
    breaks = (
        "test_a_resumed_run_drops_what_came_after_its_checkpoint",
        "test_a_resumed_run_may_log_what_is_new",
    )
    make = Overwriting
