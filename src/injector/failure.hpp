// How a step of the fill ends early: the outcome for the daemon and what is known about each field.
#pragma once

#include <tl/expected.hpp>
#include <vector>

#include "rpc/injector_protocol.hpp"

namespace popvault::injector {

struct Failure {
  Outcome outcome;
  std::vector<FieldReport> fields;
};

template <class T>
using Step = tl::expected<T, Failure>;

inline tl::unexpected<Failure> stop(Outcome outcome, std::vector<FieldReport> fields = {}) {
  return tl::unexpected<Failure>(Failure{outcome, std::move(fields)});
}

}  // namespace popvault::injector
