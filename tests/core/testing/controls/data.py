import torch

from offline_trainer_core.testing import DataModuleContract


class Loader:
    def __init__(self, data, train):
        self.data, self.train, self.epoch, self.start = data, train, 0, 0

    def __len__(self):
        return self.data.length

    def set_epoch(self, epoch, start=0):
        self.epoch, self.start = epoch, start

    def __iter__(self):
        for index in range(self.start, 4):
            yield self.data.batch(self.rows(self.epoch if self.train else 0, index))

    def rows(self, epoch, index):
        rows = self.data.order(epoch, self.train)[4 * index : 4 * index + 4]
        return rows.view(self.data.world_size, -1)[self.data.rank]

    def samples(self, epoch, batch):
        return [{"row": row} for row in self.rows(epoch, batch).tolist()]


class Rows:
    length = 4

    def place(self, *, seed, rank, world_size, device):
        self.seed, self.rank, self.world_size = seed, rank, world_size

    def setup(self, stage):
        x = torch.arange(16.0)
        self.stats = {"x": {"mean": x.mean(), "std": x.std(), "min": x.amin(), "max": x.amax()}}

    def order(self, epoch, train):
        return torch.randperm(16, generator=torch.Generator().manual_seed(100 * self.seed + epoch))

    def batch(self, rows):
        return {"x": rows.float(), "row": rows}

    def train_dataloader(self):
        return Loader(self, True)

    def val_dataloader(self):
        return Loader(self, False)


class TestSound(DataModuleContract):
    breaks = ()
    make = Rows


class Ragged(Rows):
    def batch(self, rows):
        return {"x": rows.float(), "row": rows[:1]}


class TestRagged(TestSound):
    breaks = ("test_batches_have_tensors_with_one_batch_dimension", "test_processes_share_every_global_batch")
    make = Ragged


class Miscounted(Rows):
    length = 5


class TestMiscounted(TestSound):
    breaks = ("test_a_length_is_the_number_of_batches",)
    make = Miscounted


class Unseeded(Rows):
    def order(self, epoch, train):
        return torch.randperm(16) if train else super().order(epoch, train)


class TestUnseeded(TestSound):
    breaks = (
        "test_the_order_is_a_function_of_seed_and_epoch",
        "test_an_epoch_can_begin_at_any_batch",
        "test_processes_share_every_global_batch",
    )
    make = Unseeded


class Unshuffled(Rows):
    def order(self, epoch, train):
        return torch.arange(16)


class TestUnshuffled(TestSound):
    breaks = ("test_every_epoch_has_its_own_order",)
    make = Unshuffled


class FromTheBeginning(Loader):
    def set_epoch(self, epoch, start=0):
        self.epoch = epoch


class Restarting(Rows):
    def train_dataloader(self):
        return FromTheBeginning(self, True)


class TestRestarting(TestSound):
    breaks = ("test_an_epoch_can_begin_at_any_batch",)
    make = Restarting


class Repeating(Rows):
    """Every process trains and validates on everything."""

    def place(self, *, seed, rank, world_size, device):
        super().place(seed=seed, rank=0, world_size=1, device=device)


class TestRepeating(TestSound):
    breaks = ("test_processes_share_every_global_batch", "test_processes_validate_every_sample_once")
    make = Repeating


class OneNameABatch(Loader):
    def samples(self, epoch, batch):
        return [{"batch": batch}]


class Misnamed(Rows):
    def train_dataloader(self):
        return OneNameABatch(self, True)


class TestMisnamed(TestSound):
    breaks = ("test_every_row_of_a_batch_can_be_named",)
    make = Misnamed


class RandomValidation(Rows):
    def order(self, epoch, train):
        return super().order(epoch, train) if train else torch.randperm(16)


class TestRandomValidation(TestSound):
    breaks = ("test_validation_is_the_same_every_time",)
    make = RandomValidation


class Misdescribed(Rows):
    def setup(self, stage):
        super().setup(stage)
        self.stats = {"y": self.stats["x"]}


class TestMisdescribed(TestSound):
    breaks = ("test_statistics_fit_their_fields",)
    make = Misdescribed
