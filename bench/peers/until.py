"""Trains a peer in a separate process until it is killed: `until.py MODULE CONFIG`, with CONFIG as JSON.

MODULE has `training(config) -> (epoch, validate)` and `versions() -> dict`. After each epoch the process evaluates the
validation images and writes one JSON object in a line: {"epoch": 1, "train_loss": ..., "val_loss": ...}. The first
object also has the versions. The output of libraries goes to stderr.
"""
import importlib
import json
import os
import sys

import child


def main():
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def say(**what):
        replies.write(json.dumps(what) + "\n")

    try:
        module, config = importlib.import_module(sys.argv[1]), json.loads(sys.argv[2])
        epoch, validate = module.training(config)
        for number in range(1, config["epochs"] + 1):
            train_loss, val_loss = float(epoch()), float(validate())
            versions = {"versions": module.versions()} if number == 1 else {}
            say(epoch=number, train_loss=train_loss, val_loss=val_loss, **versions)
    except (child.Skip, ModuleNotFoundError) as reason:
        say(skipped=str(reason))
    except Exception as error:  # an exception of any kind ends this peer only
        import traceback
        traceback.print_exc()
        say(failed=child.text_of(error))


if __name__ == "__main__":
    main()
