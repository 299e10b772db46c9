// Matrix products on Variables: as core/ops/matmul.h, recorded.
#pragma once

#include "autograd/variable.h"

namespace tenon {

Variable matmul(const Variable& a, const Variable& b);

}  // namespace tenon
