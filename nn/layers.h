// All layers.
#pragma once

#include "nn/activations.h"
#include "nn/conv.h"
#include "nn/dropout.h"
#include "nn/embedding.h"
#include "nn/graph_conv.h"
#include "nn/linear.h"
#include "nn/lstm.h"
#include "nn/norm.h"
#include "nn/pool.h"
#include "nn/sequential.h"
