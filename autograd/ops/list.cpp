// Refers to the backward of every differentiable op, so that a missing one is a link error
// (core/ops/contract.h).
#include "core/ops/contract.h"

namespace tenon::contract {
namespace backward {
#define TENON_DECLARE_twice(name) extern const char name##_;
#define TENON_DECLARE_once(name) extern const char name##_;
#define TENON_DECLARE_no(name)
#define TENON_OP(name, family, differentiable, devices, reason) TENON_DECLARE_##differentiable(name)
#include "core/ops/list.inc"
#undef TENON_OP
}  // namespace backward

namespace {
#define TENON_ADDRESS_twice(name) &backward::name##_,
#define TENON_ADDRESS_once(name) &backward::name##_,
#define TENON_ADDRESS_no(name)
const char* const kBackwards[] = {
#define TENON_OP(name, family, differentiable, devices, reason) TENON_ADDRESS_##differentiable(name)
#include "core/ops/list.inc"
#undef TENON_OP
};
}  // namespace

int linked_backwards() {
  int count = 0;
  for (const char* symbol : kBackwards) count += symbol != nullptr;
  return count;
}

}  // namespace tenon::contract
