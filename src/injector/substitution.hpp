// The real values on their way into a held request, in secret memory all along.
#pragma once

#include "injector/held_request.hpp"
#include "injector/values.hpp"
#include "wire/render.hpp"

namespace popvault::injector {

class Substitution {
 public:
  explicit Substitution(const Values& card, bool has_cvc, bool has_holder);

  // Whether the values fit the plan's holes, and the body a frame.
  bool fits(const wire::Plan& plan) const;
  // Lets the request go with the body that the plan gives; its answer will be held. Fails with stopped when the daemon hung
  // up before, and with failed when the browser did not take it. `sent` tells whether it left.
  Step<void> send(Cdp& cdp, const Held& held, const wire::Plan& plan, bool& sent) const;
  // Whether an answer's bytes or headers hold the number.
  bool echoes(const Held& held, ByteView body) const;

 private:
  wire::Values values() const;
  SecretBytes number_, month_, year_, cvc_, holder_;
};

}  // namespace popvault::injector
