from dataclasses import replace

from offline_trainer_core.engine import LoopSettings, Session
from offline_trainer_core.testing import TrainerContract


class Loop:
    def __init__(self, max_steps):
        self.max_steps = max_steps

    def fit(self, **parts):
        with Session(parts, LoopSettings(max_steps=self.max_steps)) as session:
            while not session.done:
                for batch, last in session.batches():
                    session.train_on(batch, last)
                    self.end_step(session)
                    if session.should_stop():
                        break
                if session.epoch_complete:
                    self.end_epoch(session)
            return self.result(session)

    def end_step(self, session):
        session.log_train()
        session.end_step()

    def end_epoch(self, session):
        session.validate()
        session.end_epoch()

    def result(self, session):
        session.context.save_checkpoint()
        return session.result()


class TestSound(TrainerContract):
    breaks = ()
    trainer = Loop

    def make(self, max_steps=8):
        return self.trainer(max_steps)


class Wordless(Loop):
    def result(self, session):
        super().result(session)
        return session.state


class TestWordless(TestSound):
    breaks = (
        "test_it_trains_for_as_long_as_it_was_told",
        "test_a_part_that_it_does_not_know_does_no_harm",
        "test_a_callback_can_stop_it",
    )
    trainer = Wordless


class Silent(Loop):
    def end_step(self, session):
        session.end_step()


class TestSilent(TestSound):
    breaks = ("test_it_logs_training_and_validation", "test_a_run_in_two_parts_ends_as_one_in_one")
    trainer = Silent


class Closed(Loop):
    def fit(self, *, run, **parts):
        if "part_of_a_later_version" in parts:
            raise TypeError("an unexpected keyword")
        return super().fit(run=run, **parts)


class TestClosed(TestSound):
    breaks = ("test_a_part_that_it_does_not_know_does_no_harm",)
    trainer = Closed


class Deaf(Loop):
    def end_step(self, session):
        session.log_train()


class TestDeaf(TestSound):
    breaks = ("test_a_callback_can_stop_it",)
    trainer = Deaf


class Beginning(Loop):
    """Never goes on from a checkpoint."""

    def fit(self, *, run, **parts):
        return super().fit(run=replace(run, resume_from=None), **parts)


class TestBeginning(TestSound):
    breaks = ("test_a_run_in_two_parts_ends_as_one_in_one",)
    trainer = Beginning
