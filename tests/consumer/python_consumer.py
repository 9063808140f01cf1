"""Trains the model of c/c_consumer.c by the installed shared library (argument 1), loaded by ctypes. Argument 2 is the
output of that program, which must be equal."""

import ctypes
import sys

ROWS, COLUMNS, EPOCHS = 100, 8, 5
F32 = 0


class Array(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("dtype", ctypes.c_int64), ("rows", ctypes.c_int64),
                ("columns", ctypes.c_int64), ("row_stride", ctypes.c_int64)]


class ModelOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("features", ctypes.c_int64), ("latent", ctypes.c_int64),
                ("encoder_widths", ctypes.c_void_p), ("encoder_layers", ctypes.c_int64),
                ("decoder_widths", ctypes.c_void_p), ("decoder_layers", ctypes.c_int64),
                ("activation", ctypes.c_char_p), ("likelihood", ctypes.c_char_p), ("sigmoid_mean", ctypes.c_int64),
                ("sigma", ctypes.c_double), ("log_variance_low", ctypes.c_double),
                ("log_variance_high", ctypes.c_double), ("prior", ctypes.c_char_p),
                ("prior_components", ctypes.c_int64), ("device", ctypes.c_char_p)]


class TrainOptions(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("batch_size", ctypes.c_int64)]


class EpochResult(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_size_t), ("epoch", ctypes.c_int64), ("loss", ctypes.c_double)]


def main():
    library = ctypes.CDLL(sys.argv[1])
    library.gpuvae_version.restype = library.gpuvae_last_error.restype = ctypes.c_char_p

    def require(status):
        if status != 0:
            sys.exit(library.gpuvae_last_error().decode())

    values = (ctypes.c_float * (ROWS * COLUMNS))(*[i * i % 97 / 96 for i in range(ROWS * COLUMNS)])
    examples = Array(ctypes.cast(values, ctypes.c_void_p), F32, ROWS, COLUMNS, 0)
    options, training, last = ModelOptions(), TrainOptions(), EpochResult(ctypes.sizeof(EpochResult))
    model, trainer = ctypes.c_void_p(), ctypes.c_void_p()
    require(library.gpuvae_model_options_init(ctypes.byref(options), ctypes.c_size_t(ctypes.sizeof(options))))
    options.features, options.device = COLUMNS, b"cpu"
    require(library.gpuvae_model_create(ctypes.byref(options), ctypes.byref(model)))
    require(library.gpuvae_train_options_init(ctypes.byref(training), ctypes.c_size_t(ctypes.sizeof(training))))
    training.batch_size = 20
    require(library.gpuvae_trainer_create(model, ctypes.byref(examples), None, ctypes.byref(training),
                                          ctypes.byref(trainer)))
    require(library.gpuvae_trainer_run_epochs(trainer, ctypes.c_int64(EPOCHS), ctypes.byref(last)))
    require(library.gpuvae_trainer_free(trainer))
    require(library.gpuvae_model_free(model))
    text = f"gpuvae {library.gpuvae_version().decode()}: loss {last.loss:.17g}"
    print(text)
    if text != sys.argv[2]:
        sys.exit(f"expected {sys.argv[2]}")


if __name__ == "__main__":
    main()
