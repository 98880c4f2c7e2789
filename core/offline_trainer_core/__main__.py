"""`python -m offline_trainer_core` is `ot`: what a launcher such as torchrun starts."""

from offline_trainer_core.cli import main

if __name__ == "__main__":
    main()
