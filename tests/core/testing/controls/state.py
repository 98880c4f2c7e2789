from offline_trainer_core.testing import StatefulContract


class Counter:
    def __init__(self, count=0):
        self.count = count

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


class TestSound(StatefulContract):
    breaks = ()
    make = Counter

    def used(self):
        return type(self.make())(7)


class Unserialisable(Counter):
    def state_dict(self):
        return {"count": self.count, "callable": print}


class TestUnserialisable(TestSound):
    breaks = ("test_state_survives_a_checkpoint",)
    make = Unserialisable


class Deaf(Counter):
    def load_state_dict(self, state):
        pass


class TestDeaf(TestSound):
    breaks = ("test_a_restored_part_has_the_same_state",)
    make = Deaf


class TestUnused(TestSound):
    breaks = ("test_a_restored_part_has_the_same_state",)

    def used(self):
        return Counter()
