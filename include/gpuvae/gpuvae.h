// All of gpuvae.
#pragma once

#include "gpuvae/autograd.h"
#include "gpuvae/custom.h"
#include "gpuvae/data.h"
#include "gpuvae/device.h"
#include "gpuvae/distributions.h"
#include "gpuvae/error.h"
#include "gpuvae/evaluate.h"
#include "gpuvae/graph.h"
#include "gpuvae/memory.h"
#include "gpuvae/nn.h"
#include "gpuvae/ops.h"
#include "gpuvae/optim.h"
#include "gpuvae/tensor.h"
#include "gpuvae/train.h"
#include "gpuvae/vae.h"
#include "gpuvae/version.h"
